import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { AgentAction } from "./agent-actions.ts";
import { installPackage } from "./install-package.ts";
import { newerNodeFolder, type RealAgent, replyOf, writeAgentSettings } from "./real-agent.ts";
import { type ScriptedEndpoint, startScriptedEndpoint } from "./scripted-endpoint.ts";

/** One real program in a race, and what its model has it do. */
export interface Competitor {
  readonly agent: RealAgent;
  readonly replies: readonly (readonly AgentAction[])[];
}

export interface RacingAgents {
  /** Finds every program by its own name, with the settings and addresses that each needs. */
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/** Installs the programs, writes their settings into the home, and starts a scripted model for each. */
export async function startRacingAgents(
  competitors: readonly Competitor[],
  { env, cwd, prompt }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly prompt: string },
): Promise<RacingAgents> {
  const home = env["HOME"] ?? "";
  const programs = join(home, "programs");
  mkdirSync(programs);
  const endpoints: ScriptedEndpoint[] = [];
  let own: NodeJS.ProcessEnv = { ...env, TERM: "dumb", NO_COLOR: "1" };
  for (const { agent, replies } of competitors) {
    const lane = () => laneDirectory(home, agent.name);
    const endpoint = await startScriptedEndpoint([
      { marker: prompt, replies: replies.map((actions) => replyInLane(actions, agent, lane)) },
    ]);
    endpoints.push(endpoint);
    const run = { url: endpoint.url, cwd, home, prompt };
    writeAgentSettings(agent, run);
    symlinkSync(
      join(installPackage(agent.packageName, agent.version), agent.program),
      join(programs, agent.name),
    );
    own = { ...own, ...agent.env(run) };
  }
  const isNewer = competitors.some(({ agent }) => agent.wantsNewerNode === true);
  const path = [programs, ...(isNewer ? [newerNodeFolder()] : []), env["PATH"]].join(":");
  return {
    env: { ...own, PATH: path },
    close: async () => {
      await Promise.all(endpoints.map((endpoint) => endpoint.close()));
    },
  };
}

/** Where a lane is becomes known when its race has begun: the only race of this home. */
function laneDirectory(home: string, name: string): string {
  const races = join(home, ".local", "state", "keyframe", "races");
  const [race = ""] = readdirSync(races);
  return join(races, race, name);
}

function replyInLane(actions: readonly AgentAction[], agent: RealAgent, lane: () => string) {
  const { text, before } = replyOf(
    actions.filter(({ do: what }) => what === "say" || what === "meanwhile"),
    agent,
    "",
  );
  return {
    text,
    ...(before === undefined ? {} : { before }),
    get calls() {
      return replyOf(actions, agent, lane()).calls;
    },
  };
}
