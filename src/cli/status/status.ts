import { relative } from "node:path";
import { parseHookCommand } from "../../agents/settings/agent-program.ts";
import { claudeHookCommands } from "../../agents/settings/claude-settings.ts";
import { type HeardAgent, listHeard } from "../../state/connected-agents.ts";
import { type Problem, readProblems } from "../../state/problems.ts";
import type { Files } from "../../system/files/files.ts";
import type { CliContext } from "../command/context.ts";
import { settleFirst } from "../command/settle-first.ts";
import { connectedAgents, type EnablePlan, planEnable, type Situation } from "../enable/plan.ts";
import { agentFilePrograms } from "../enable/plan-agent-file.ts";
import { enableOptions, openSituation } from "../enable/situation.ts";
import { formatTable, printable, type Terminal } from "../output/terminal.ts";
import { describePeer, isTakenOver, type PeerDescription, peerStatus } from "../peers/peer-words.ts";
import { findAgentVersion } from "./agent-version.ts";
import { type PendingPathRow, readPendingFiles } from "./pending.ts";

interface Status {
  readonly repository: string;
  /** `partly`: some hook is missing or outdated. */
  readonly state: "on" | "partly" | "off" | "disabled";
  readonly hooks: readonly { readonly name: string; readonly path: string; readonly standing: string }[];
  readonly agents: readonly {
    readonly agent: string;
    readonly path: string;
    readonly standing: string;
    /** When a hook of the agent last ran here, RFC 3339; absent if none ever did. */
    readonly lastHeard?: string;
    /** What that hook said. */
    readonly lastEvent?: string;
    /** The agent's version, as its last conversation here names it. */
    readonly version?: string;
  }[];
  /** Other tools that record what agents do here. */
  readonly peers: readonly PeerDescription[];
  /** The installations that the agents' hooks start. */
  readonly programs: readonly HookProgram[];
  readonly pending: readonly PendingPathRow[];
  readonly problems: readonly Problem[];
}

interface HookProgram {
  /** Absolute, or `keyframe` for whatever is on the PATH. */
  readonly entry: string;
  readonly found: boolean;
}

/** `keyframe status` */
export async function status(this: CliContext, flags: { readonly json?: boolean }): Promise<void> {
  const { files } = this;
  const { git, situation } = await openSituation(this);
  const plan = planEnable(
    situation,
    enableOptions(this.program, { shared: false, agents: agentsOf(situation) }),
  );
  const state = situation.switchedOff ? "disabled" : stateOf(plan);
  // what is committed is not pending: a commit that no hook saw is settled now
  if (state === "on" || state === "partly") await settleFirst(this);
  const heard = listHeard(git.repository, files);
  const found: Status = {
    repository: git.repository.workTree ?? git.repository.gitDir,
    state,
    hooks: plan.hooks.map(({ name, path, standing }) => ({ name, path, standing })),
    agents: plan.agents.map(({ agent, path, standing }) => ({
      agent,
      path,
      standing,
      ...heardOf(agent, heard),
      ...optionalVersion(findAgentVersion(agent, git.repository, files)),
    })),
    peers: situation.peers.map((peer) => describePeer(peer, isTakenOver(peer, situation.takenOver))),
    programs: hookPrograms(situation, files),
    pending: readPendingFiles(git.repository, files),
    problems: readProblems(git.repository, files),
  };
  if (flags.json) this.terminal.json(found);
  else printStatus(this.terminal, found);
}

function heardOf(
  agent: string,
  heard: readonly HeardAgent[],
): { readonly lastHeard?: string; readonly lastEvent?: string } {
  const last = heard.find(({ tool }) => tool === agent);
  return last === undefined ? {} : { lastHeard: new Date(last.at).toISOString(), lastEvent: last.event };
}

function optionalVersion(version: string | undefined): { readonly version?: string } {
  return version === undefined ? {} : { version };
}

/** Those that are connected; Claude Code where none is. */
function agentsOf(situation: Situation): readonly string[] {
  const connected = connectedAgents(situation);
  return connected.length === 0 ? ["claude"] : connected;
}

function stateOf(plan: EnablePlan): Status["state"] {
  const standings = [...plan.hooks, ...plan.agents].map(({ standing }) => standing);
  // a hook that Keyframe leaves alone on purpose is not missing
  if (standings.every((standing) => ["on", "committed", "shared"].includes(standing))) return "on";
  return standings.every((standing) => standing !== "on" && standing !== "outdated") ? "off" : "partly";
}

function hookPrograms(situation: Situation, files: Files): HookProgram[] {
  const { settings, agentFiles, onPath } = situation;
  const programs = new Map<string, HookProgram>();
  const ofClaude = settings.flatMap(({ state }) =>
    state.kind === "file" ? claudeHookCommands(state.content.toString("utf8")) : [],
  );
  const started = [
    ...ofClaude.map((command) => parseHookCommand(command, "claude")),
    ...agentFiles.flatMap(agentFilePrograms),
  ];
  for (const program of started) {
    if (program?.kind === "on-path") programs.set("keyframe", { entry: "keyframe", found: onPath });
    if (program?.kind !== "installed") continue;
    const { node, entry } = program;
    const found = [node, entry].every((path) => files.statTargetIfExists(path)?.kind === "file");
    programs.set(entry, { entry, found });
  }
  return [...programs.values()];
}

const stateTexts: Record<Status["state"], string> = {
  on: "Keyframe is on",
  partly: "Keyframe is partly on: run `keyframe enable` to repair it",
  off: "Keyframe is off: `keyframe enable` turns it on",
  disabled: "Keyframe is disabled: installed hooks do nothing until `keyframe enable`",
};

const standingTexts: Record<string, string> = {
  on: "on",
  outdated: "of another version or installation",
  off: "off",
  committed: "left alone: the hook is committed",
  refused: "left alone: the settings cannot be edited",
  shared: "left alone: the hook serves other repositories too",
  blocked: "blocked by a hook kept aside",
};

function printStatus(terminal: Terminal, found: Status): void {
  terminal.out(terminal.style("bold", stateTexts[found.state]));
  const mark = (standing: string) =>
    terminal.style(standing === "on" ? "green" : "yellow", standingTexts[standing] ?? standing);
  const shown = (path: string) => {
    const short = relative(found.repository, path);
    return printable(short.startsWith("..") ? path : short);
  };
  terminal.out(
    formatTable([
      ...found.hooks.map(({ name, path, standing }) => [`  git ${name}`, shown(path), mark(standing)]),
      ...found.agents.map((agent) => [
        `  ${agent.agent}`,
        shown(agent.path),
        agent.standing === "on" ? `${mark(agent.standing)}, ${heardText(agent)}` : mark(agent.standing),
      ]),
      ...found.peers.map(({ name, settings, standing }) => [
        `  ${name}`,
        shown(settings),
        terminal.style(standing === "on" ? "yellow" : "dim", peerStatus(name, standing)),
      ]),
      ...found.programs.map(({ entry, found: there }) => [
        "  program",
        printable(entry),
        there ? terminal.style("green", "found") : terminal.style("red", "missing: run `keyframe enable`"),
      ]),
    ]),
  );
  printPending(terminal, found.pending);
  printProblems(terminal, found.problems);
}

function heardText({ lastHeard, lastEvent, version }: Status["agents"][number]): string {
  if (lastHeard === undefined) return "not heard yet";
  return `last heard ${lastHeard} (${lastEvent}${version === undefined ? "" : `, version ${printable(version)}`})`;
}

function printPending(terminal: Terminal, pending: readonly PendingPathRow[]): void {
  if (pending.length === 0) {
    terminal.out("Nothing is pending.");
    return;
  }
  terminal.out(terminal.style("bold", "Pending, for the next commit"));
  const lines = (count: number) => `${count} ${count === 1 ? "line" : "lines"}`;
  terminal.out(
    formatTable(
      pending.map(({ path, owners }) => [
        `  ${printable(path)}`,
        owners.map((owner) => `${printable(owner.name)} ${lines(owner.lines)}`).join(", "),
      ]),
    ),
  );
}

const shownProblems = 10;

function printProblems(terminal: Terminal, problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const last = problems.slice(-shownProblems);
  const count = problems.length > last.length ? `, the last ${last.length} of ${problems.length}` : "";
  terminal.out(terminal.style("bold", `Problems in hooks${count}`));
  for (const { at, where, what } of last) {
    terminal.out(`  ${new Date(at).toISOString()}  ${printable(where)}: ${printable(what)}`);
  }
}
