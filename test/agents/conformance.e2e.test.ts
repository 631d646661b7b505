import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordVerdicts } from "../support/agents/conformance-results.ts";
import { ConformanceWorld } from "../support/agents/conformance-world.ts";
import { playSession, scenariosOf, type Verdicts } from "../support/agents/play-session.ts";
import type { RealAgent } from "../support/agents/real-agent.ts";
import { writeAgentSettings } from "../support/agents/real-agent.ts";
import { coreAgents, leftToTheCommand, realAgents, wholeInEveryRun } from "../support/agents/real-agents.ts";
import { limitOf, type SessionName } from "../support/agents/scenarios.ts";
import { isOffline } from "../support/real-claude.ts";

// biome-ignore lint/suspicious/noConsole: a test run without these must say so
if (isOffline) console.warn("KEYFRAME_OFFLINE is set: the conformance tests with real agents are left out");

/** `all`, or names; else what every run of the tests plays: the core of the suite, and the whole for some. */
const chosen = process.env["KEYFRAME_AGENTS"];
const agents =
  chosen === undefined
    ? coreAgents.filter(({ name }) => !leftToTheCommand.includes(name))
    : realAgents.filter(({ name }) => chosen === "all" || chosen.split(",").includes(name));

const coreSessions: readonly SessionName[] = ["work", "again"];
const allSessions: readonly SessionName[] = [
  ...coreSessions,
  "fork",
  "plan",
  "interrupt",
  "compaction",
  "elsewhere",
  "pair",
];

/** Room for a second play. */
const longestSessionMs = 900_000;

const isWhole = ({ name }: RealAgent) => chosen !== undefined || wholeInEveryRun.includes(name);
const byName = (name: string) => realAgents.find((agent) => agent.name === name) ?? coreAgents[0];
const partnerOf = ({ name }: RealAgent) => byName(name === "pi" ? "codex" : "pi");

/**
 * Agents give their hooks a time, which a busy machine may use up: then lines are unknown. A line that counts for another
 * than its writer is never played again.
 */
function isOnlyUnseen(found: Verdicts): boolean {
  const actual = Object.values(found).flatMap((verdict) => verdict.split("deeply equal")[1] ?? []);
  return actual.length > 0 && actual.every((text) => text.includes('"unknown"'));
}

describe.skipIf(isOffline).each(agents)("$name $version", (agent) => {
  let world: ConformanceWorld;
  let verdicts: Verdicts = {};

  function begin(): void {
    world = new ConformanceWorld(agent);
    // its own settings may stand in the file that takes the hooks in
    const home = world.repository.env["HOME"] ?? "";
    writeAgentSettings(agent, { url: "http://127.0.0.1:1", cwd: world.repository.folder, home });
    world.repository.commit("begin");
    world.connect();
  }
  beforeAll(begin);
  afterAll(() => {
    world.remove();
    recordVerdicts(agent, verdicts);
  });

  const sessions = isWhole(agent) ? allSessions : coreSessions;

  /** In a repository of its own, with the sessions that this one goes on from. */
  async function playAgain(session: SessionName, partner: RealAgent): Promise<Verdicts> {
    world.remove();
    begin();
    let found: Verdicts = {};
    for (const each of sessions.slice(0, sessions.indexOf(session) + 1))
      found = await playSession(world, each, partner);
    return found;
  }

  test.each(sessions)("%s", { timeout: longestSessionMs }, async (session) => {
    const partner = partnerOf(agent);
    if (partner === undefined) throw new Error("there is no other agent");
    const expected = Object.fromEntries(
      scenariosOf(session).map((scenario) => [scenario.name, limitOf(scenario, agent) ?? "yes"]),
    );
    let found = await playSession(world, session, partner);
    if (!isDeepStrictEqual(found, expected) && isOnlyUnseen(found)) {
      // biome-ignore lint/suspicious/noConsole: what needed a second time must be seen
      console.warn(`${agent.name}: played again, a hook's time was over:`, JSON.stringify(found));
      found = await playAgain(session, partner);
    }
    verdicts = { ...verdicts, ...found };
    expect(found).toEqual(expected);
  });
});
