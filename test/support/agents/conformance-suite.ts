import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isOffline } from "../real-claude.ts";
import { recordVerdicts } from "./conformance-results.ts";
import { ConformanceWorld } from "./conformance-world.ts";
import { playSession, scenariosOf, type Verdicts } from "./play-session.ts";
import type { RealAgent } from "./real-agent.ts";
import { writeAgentSettings } from "./real-agent.ts";
import { inEveryRun, realAgents } from "./real-agents.ts";
import { limitOf, type SessionName } from "./scenarios.ts";

/** `all`, or names; else those that every run of the tests plays. */
const chosen = process.env["KEYFRAME_AGENTS"];

const sessions: readonly SessionName[] = [
  "work",
  "again",
  "fork",
  "plan",
  "interrupt",
  "compaction",
  "elsewhere",
  "pair",
];

/** Two runs of an agent that is ended because it hangs. */
const longestSessionMs = 500_000;

function byName(name: string): RealAgent {
  const found = realAgents.find((agent) => agent.name === name);
  if (found === undefined) throw new Error(`there is no real agent ${name}`);
  return found;
}

/** Declares the suite for one agent: a file for each, so that a run spreads them over its workers. */
export function playConformance(name: string): void {
  const agent = byName(name);
  const isChosen =
    chosen === undefined ? inEveryRun.includes(name) : chosen === "all" || chosen.split(",").includes(name);
  // biome-ignore lint/suspicious/noConsole: a test run without these must say so
  if (isOffline) console.warn(`KEYFRAME_OFFLINE is set: the conformance suite with ${name} is left out`);
  describe.skipIf(isOffline || !isChosen)(`${name} ${agent.version}`, () => playSessions(agent));
}

function playSessions(agent: RealAgent): void {
  const partner = byName(agent.name === "pi" ? "codex" : "pi");
  let world: ConformanceWorld;
  let verdicts: Verdicts = {};

  beforeAll(() => {
    world = new ConformanceWorld(agent);
    // its own settings may stand in the file that takes the hooks in
    const home = world.repository.env["HOME"] ?? "";
    writeAgentSettings(agent, { url: "http://127.0.0.1:1", cwd: world.repository.folder, home });
    world.repository.commit("begin");
    world.connect();
  });
  afterAll(() => {
    world.remove();
    recordVerdicts(agent, verdicts);
  });

  test.each(sessions)("%s", { timeout: longestSessionMs }, async (session) => {
    const expected = Object.fromEntries(
      scenariosOf(session).map((scenario) => [scenario.name, limitOf(scenario, agent) ?? "yes"]),
    );
    const found = await playSession(world, session, partner);
    verdicts = { ...verdicts, ...found };
    expect(found).toEqual(expected);
  });
}
