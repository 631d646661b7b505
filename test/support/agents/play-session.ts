import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { edit, meanwhile, read, shell, write } from "./agent-actions.ts";
import { type ConformanceWorld, fileAppears } from "./conformance-world.ts";
import type { RealAgent, RunResult, ScriptedRun } from "./real-agent.ts";
import { limitOf, type Scenario, type SessionName, scenarios, typeBetween } from "./scenarios.ts";

/** How one run goes beside what its scenarios have the agent do. */
interface Session {
  readonly prompt: string;
  /** A file with a line of the agent's, by which the conversation is known. */
  readonly firstFile?: string;
  readonly run?: (world: ConformanceWorld) => Partial<ScriptedRun>;
  readonly before?: (world: ConformanceWorld, partner: RealAgent) => void;
  /** What goes on at the same time as the agent's run. */
  readonly beside?: (world: ConformanceWorld, partner: RealAgent) => Promise<unknown>;
  readonly after?: (world: ConformanceWorld) => Promise<void> | void;
}

const fromWork = (world: ConformanceWorld) => {
  const resume = world.conversations.get("work");
  return resume === undefined ? {} : { resume };
};

const sessions: Readonly<Record<SessionName, Session>> = {
  work: {
    prompt: "WORK on it",
    firstFile: "work.txt",
    run: () => ({
      subagents: { "SUBTASK one": [[write("sub.txt", "s1\n")], [shell("echo s2 >> sub.txt")]] },
    }),
    after: async (world) => {
      writeFileSync(world.beside("late"), "");
      await fileAppears(world.at("late.txt"), 1500).catch(
        () => "the agent has ended the command with itself",
      );
    },
  },
  again: {
    prompt: "GO ON with it",
    firstFile: "again.txt",
    before: typeBetween,
    run: fromWork,
  },
  plan: { prompt: "PLAN it", run: () => ({ how: "plan" }) },
  interrupt: {
    prompt: "BEGIN and be stopped",
    firstFile: "cut.txt",
    run: (world) => ({ interruptAt: world.beside("cut") }),
    after: (world) => appendFileSync(world.at("cut.txt"), "typed afterwards\n"),
  },
  compaction: { prompt: "LONG work", firstFile: "long.txt", run: () => ({ how: "compact" }) },
  fork: {
    prompt: "FORK it",
    firstFile: "fork.txt",
    run: (world) => ({ how: "fork", ...fromWork(world) }),
  },
  elsewhere: { prompt: "WORK elsewhere", firstFile: "here.txt", before: makeOtherPlaces },
  pair: {
    prompt: "WORK beside another",
    firstFile: "pair-shell.txt",
    before: (world, partner) => world.connect(partner),
    beside: workBeside,
  },
};

/** A linked worktree, a submodule and another repository, each with Keyframe. */
function makeOtherPlaces(world: ConformanceWorld): void {
  const { repository } = world;
  const second = world.beside("second");
  mkdirSync(second);
  repository.git("init", "-q", "-b", "main", second);
  repository.git("-C", second, "commit", "-q", "--allow-empty", "-m", "first");
  const submodule = ["submodule", "add", "-q", second, "sub"];
  repository.git("-c", "protocol.file.allow=always", ...submodule);
  repository.commit("with a submodule");
  repository.git("worktree", "add", "-q", world.beside("linked"));
  for (const cwd of [second, world.at("sub")])
    expect(world.keyframe(["enable", "--agent", "claude"], cwd).code).toBe(0);
}

/** On a busy machine some agents take most of a minute until their first call. */
const longestStartMs = 180_000;

async function workBeside(world: ConformanceWorld, partner: RealAgent): Promise<void> {
  const go = meanwhile(() => fileAppears(world.beside("pair-go"), longestStartMs));
  try {
    await world.run({
      agent: partner,
      prompt: "HELP with it",
      replies: [
        [go, read("pair.txt")],
        [edit("pair.txt", "p7", "p7 by the other")],
        [write("pair-other.txt", "o\n")],
      ],
    });
  } finally {
    writeFileSync(world.beside("pair-done"), "");
  }
  world.conversations.set("partner", partner.name);
}

/** What came of each scenario: `yes`, or why not. */
export type Verdicts = Readonly<Record<string, string>>;

export function scenariosOf(session: SessionName): readonly Scenario[] {
  return scenarios.filter((scenario) => scenario.session === session);
}

/** Plays the scenarios of a session in one run of the agent. */
export async function playSession(
  world: ConformanceWorld,
  name: SessionName,
  partner: RealAgent,
): Promise<Verdicts> {
  const { agent, repository } = world;
  const limits = new Map(scenariosOf(name).map((scenario) => [scenario, limitOf(scenario, agent)]));
  const played = [...limits].flatMap(([scenario, limit]) => (limit === undefined ? [scenario] : []));
  const outcomes = [...limits].flatMap(([scenario, limit]) =>
    limit === undefined ? [] : [[scenario.name, limit] as const],
  );
  if (played.length === 0) return Object.fromEntries(outcomes);
  const session = sessions[name];
  for (const { files = {} } of played)
    for (const [path, text] of Object.entries(files)) repository.write(path, text);
  if (played.some(({ files }) => files !== undefined)) repository.commit(`before ${name}`);
  session.before?.(world, partner);
  const first = name === "elsewhere" ? [[write("here.txt", "here\n")]] : [];
  const replies = [...first, ...played.flatMap(({ script }) => script(world))];
  const [result] = await Promise.all([
    world.run({ prompt: session.prompt, replies, ...session.run?.(world) }),
    session.beside?.(world, partner),
  ]);
  await session.after?.(world);
  commitAll(world);
  const conversation = session.firstFile === undefined ? undefined : world.conversationOf(session.firstFile);
  if (conversation !== undefined) world.conversations.set(name, conversation);
  return Object.fromEntries([
    ...outcomes,
    ...played.map((scenario) => [scenario.name, verdictOf(scenario, world, result)] as const),
  ]);
}

function commitAll(world: ConformanceWorld): void {
  const { repository } = world;
  const others = [world.at("sub"), world.beside("linked"), world.beside("second")].filter(existsSync);
  for (const place of others) {
    repository.git("-C", place, "add", "-A");
    repository.git("-C", place, "commit", "-q", "--allow-empty", "-m", "theirs");
  }
  repository.commit("the rest");
}

function verdictOf(scenario: Scenario, world: ConformanceWorld, result: RunResult): string {
  try {
    scenario.check(world, result);
    return "yes";
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    return "actual" in error ? `${error.message}: ${JSON.stringify(error.actual)}` : error.message;
  }
}
