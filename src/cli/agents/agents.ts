import { agentConnections } from "../../agents/settings/connections.ts";
import { openGit } from "../../git/git.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
import { listHeard } from "../../state/connected-agents.ts";
import { homedir } from "../../system/machine/home.ts";
import type { CliContext } from "../command/context.ts";
import { type AgentFile, findAgents, readAgentFiles, readHomeFiles } from "../enable/agent-files.ts";
import { holdsHooks } from "../enable/plan-agent-file.ts";
import { readSettingsSituations } from "../enable/settings-situation.ts";
import { formatTable } from "../output/terminal.ts";

interface ListedAgent {
  readonly agent: string;
  readonly title: string;
  readonly found: boolean;
  /** Where hooks of ours are. */
  readonly connected: "repository" | "home" | "both" | "no";
  /** When a hook of it last ran here, RFC 3339. */
  readonly lastHeard?: string;
  readonly lastEvent?: string;
  readonly note?: string;
}

/** `keyframe agents` */
export async function agents(this: CliContext, flags: { readonly json?: boolean }): Promise<void> {
  const { files, env } = this;
  const around = { files, env, home: homedir() };
  const repository = findRepository(this.cwd, this);
  const found = findAgents(around, repository?.workTree);
  const here = repository?.workTree === undefined ? [] : await agentsConnectedIn(this, repository);
  const inHome = agentsOf(readHomeFiles(around));
  const heard = repository === undefined ? [] : listHeard(repository, files);
  const listed = agentConnections.map(({ agent, title, note }): ListedAgent => {
    const last = heard.find(({ tool }) => tool === agent);
    return {
      agent,
      title,
      found: found.has(agent),
      connected: placeOf(here.includes(agent), inHome.includes(agent)),
      ...(last === undefined ? {} : { lastHeard: new Date(last.at).toISOString(), lastEvent: last.event }),
      ...(note === undefined ? {} : { note }),
    };
  });
  if (flags.json) return this.terminal.json(listed);
  this.terminal.out(formatTable(listed.map((one) => rowOf(one, this))));
}

async function agentsConnectedIn(context: CliContext, repository: Repository): Promise<readonly string[]> {
  const git = openGit(repository, context.processes, context.env);
  const claude = await readSettingsSituations(git, context.files);
  const hasClaude = claude.some(
    ({ state }) => state.kind === "file" && state.content.includes("hook claude "),
  );
  return [...(hasClaude ? ["claude"] : []), ...agentsOf(await readAgentFiles(git, context.files))];
}

function agentsOf(agentFiles: readonly AgentFile[]): readonly string[] {
  return agentFiles.filter(holdsHooks).map(({ connection }) => connection.agent);
}

function placeOf(isHere: boolean, isInHome: boolean): ListedAgent["connected"] {
  if (isHere) return isInHome ? "both" : "repository";
  return isInHome ? "home" : "no";
}

const places: Readonly<Record<ListedAgent["connected"], string>> = {
  repository: "connected here",
  home: "connected in your home",
  both: "connected here and in your home",
  no: "not connected",
};

function rowOf(
  { agent, title, found, connected, lastHeard, lastEvent }: ListedAgent,
  { terminal }: CliContext,
) {
  const heard = lastHeard === undefined ? "" : `last heard ${lastHeard} (${lastEvent})`;
  const color = connected === "no" ? "dim" : "green";
  return [agent, title, found ? "found" : "", terminal.style(color, places[connected]), heard];
}
