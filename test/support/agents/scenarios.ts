import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { type AgentAction, edit, meanwhile, read, shell, write } from "./agent-actions.ts";
import type { ConformanceWorld } from "./conformance-world.ts";
import type { RealAgent, RunResult } from "./real-agent.ts";

/** The runs of an agent in which scenarios are played; one process start each. */
export type SessionName =
  | "work"
  | "again"
  | "plan"
  | "interrupt"
  | "compaction"
  | "fork"
  | "elsewhere"
  | "pair";

/** One row of the conformance suite: what the agent is told to do, and what has to be known of it afterwards. */
export interface Scenario {
  readonly name: string;
  readonly session: SessionName;
  /** Why the agent cannot play it; undefined where it can. */
  readonly lacks?: (agent: RealAgent) => string | undefined;
  /** Files that are committed before the session. */
  readonly files?: Readonly<Record<string, string>>;
  readonly script: (world: ConformanceWorld) => readonly (readonly AgentAction[])[];
  /** After all that the session has left was committed. @throws where something else is known than what happened */
  readonly check: (world: ConformanceWorld, result: RunResult) => void;
}

const oddPath = ({ can }: RealAgent) =>
  can.quotedPaths === false ? "dir with space/ü [1].txt" : `dir with space/it's "ü" [1].txt`;

/** A newline in a name: tools of agents take it as it is, patches are lines and cannot. */
const newlinePath = "new\nline.txt";

const seenByAnEditor = (world: ConformanceWorld, path: string, text: string) => {
  appendFileSync(world.at(path), text);
  expect(world.keyframe(["checkpoint", "known_human", path]).code).toBe(0);
};

/** A command that waits for a file, without a substitution: some agents refuse those. */
const untilThere = (path: string) => `timeout 80 sh -c 'until [ -e "${path}" ]; do sleep 0.1; done'`;

/** All rows. In a session they are played in this order; the last of `work` is the agent's own commit. */
export const scenarios: readonly Scenario[] = [
  {
    name: "create",
    session: "work",
    script: () => [[write("work.txt", "w1\nw2\nw3\n")]],
    check: (world) =>
      expect(world.owners("work.txt", "work")).toEqual([
        ["w1", "agent"],
        ["w2", "agent"],
        ["w3", "agent"],
      ]),
  },
  {
    name: "edit",
    session: "work",
    files: { "old.txt": "old 1\nold 2\nold 3\n" },
    script: () => [
      [write("edit.txt", "e1\ne2\n")],
      [edit("edit.txt", "e2", "e2 better")],
      [read("old.txt")],
      [edit("old.txt", "old 2", "old 2\nnew after 2")],
    ],
    check(world) {
      expect(world.owners("edit.txt", "work")).toEqual([
        ["e1", "agent"],
        ["e2 better", "agent"],
      ]);
      expect(world.owners("old.txt", "work")).toEqual([
        ["old 1", "unknown"],
        ["old 2", "unknown"],
        ["new after 2", "agent"],
        ["old 3", "unknown"],
      ]);
    },
  },
  {
    name: "delete",
    session: "work",
    lacks: ({ more }) => (more?.delete === undefined ? "no tool" : undefined),
    files: { "gone.txt": "g\n" },
    script: () => [[{ do: "delete", path: "gone.txt" }]],
    check: (world) => expect(existsSync(world.at("gone.txt"))).toBe(false),
  },
  {
    name: "rename",
    session: "work",
    lacks: ({ more }) => (more?.rename === undefined ? "no tool" : undefined),
    files: { "was.txt": "r1\nr2\n" },
    script: () => [[{ do: "rename", path: "was.txt", to: "now.txt" }]],
    check(world) {
      expect(existsSync(world.at("was.txt"))).toBe(false);
      expect(world.owners("now.txt", "work")).toEqual([
        ["r1", "unknown"],
        ["r2 moved", "agent"],
      ]);
    },
  },
  {
    name: "shell edit",
    session: "work",
    files: { "both.txt": "b1\n", "drop.txt": "d\n" },
    script: () => [
      [write("move.txt", "m1\n")],
      [shell("echo from shell > shell.txt; echo b2 >> both.txt; rm drop.txt; mv move.txt moved.txt")],
    ],
    check(world) {
      expect(existsSync(world.at("drop.txt"))).toBe(false);
      expect(world.owners("shell.txt", "work")).toEqual([["from shell", "agent"]]);
      expect(world.owners("both.txt", "work")).toEqual([
        ["b1", "unknown"],
        ["b2", "agent"],
      ]);
      expect(world.owners("moved.txt", "work")).toEqual([["m1", "agent"]]);
    },
  },
  {
    name: "failing shell",
    session: "work",
    script: () => [[shell("echo half > half.txt; exit 3")], [read("old.txt")]],
    check: (world) => expect(world.owners("half.txt", "work")).toEqual([["half", "agent"]]),
  },
  {
    name: "failing edit",
    session: "work",
    script: () => [[write("fail.txt", "f1\n")], [edit("fail.txt", "no such text", "x")], [read("old.txt")]],
    check: (world) => expect(world.owners("fail.txt", "work")).toEqual([["f1", "agent"]]),
  },
  {
    name: "two tools in one message",
    session: "work",
    script: () => [
      [write("two-a.txt", "a\n"), write("two-b.txt", "b\n")],
      [edit("two-a.txt", "a", "a2"), shell("echo b2 >> two-b.txt")],
    ],
    check(world) {
      expect(world.owners("two-a.txt", "work")).toEqual([["a2", "agent"]]);
      expect(world.owners("two-b.txt", "work")).toEqual([
        ["b", "agent"],
        ["b2", "agent"],
      ]);
    },
  },
  {
    name: "odd path",
    session: "work",
    script: ({ agent }) => [[shell("mkdir 'dir with space'")], [write(oddPath(agent), "odd\n")]],
    check: (world) => expect(world.owners(oddPath(world.agent), "work")).toEqual([["odd", "agent"]]),
  },
  {
    name: "newline in a path",
    session: "work",
    lacks: ({ name }) => (name === "codex" ? "a patch names no such file" : undefined),
    script: () => [[write(newlinePath, "nl\n")]],
    check: (world) => expect(world.owners(newlinePath, "work")).toEqual([["nl", "agent"]]),
  },
  {
    name: "subagent",
    session: "work",
    lacks: ({ more }) => (more?.delegate === undefined ? "has none" : undefined),
    script: () => [[{ do: "delegate", prompt: "SUBTASK one" }], [read("old.txt")]],
    check: (world) =>
      expect(world.owners("sub.txt", "work")).toEqual([
        ["s1", "agent"],
        ["s2", "agent"],
      ]),
  },
  {
    name: "background shell",
    session: "work",
    script: (world) => [
      [
        {
          do: "background",
          command: `${untilThere(world.beside("late"))}; echo late >> late.txt`,
        },
      ],
      [write("during.txt", "during\n")],
    ],
    check(world) {
      expect(world.owners("during.txt", "work")).toEqual([["during", "agent"]]);
      // written after the call returned, at a time of which nobody said anything; some agents end it with themselves
      if (world.repository.git("ls-files", "late.txt") !== "")
        expect(world.owners("late.txt", "work")).toEqual([["late", "unknown"]]);
    },
  },
  {
    name: "a person in between",
    session: "work",
    script: (world) => [
      [write("between.txt", "agent 1\nagent 2\n"), write("seen.txt", "s1\n")],
      [read("between.txt")],
      [
        meanwhile(() => {
          appendFileSync(world.at("between.txt"), "nobody saw this\n");
          seenByAnEditor(world, "seen.txt", "an editor saw this\n");
        }),
        read("between.txt"),
      ],
      [edit("between.txt", "agent 1", "agent 1 more")],
    ],
    check(world) {
      expect(world.owners("between.txt", "work")).toEqual([
        ["agent 1 more", "agent"],
        ["agent 2", "agent"],
        ["nobody saw this", "unknown"],
      ]);
      expect(world.owners("seen.txt", "work")).toEqual([
        ["s1", "agent"],
        ["an editor saw this", "person"],
      ]);
    },
  },
  {
    name: "commit by the agent",
    session: "work",
    script: () => [
      [shell("git add -A && git commit -qm 'by the agent'")],
      [write("after.txt", "after the commit\n")],
    ],
    check(world) {
      expect(world.repository.git("log", "--format=%s")).toContain("by the agent");
      expect(world.owners("after.txt", "work")).toEqual([["after the commit", "agent"]]);
      expect(world.problems()).toEqual([]);
    },
  },
  {
    name: "transcript",
    session: "work",
    script: () => [],
    check(world) {
      const kept = world.keptSession(world.conversations.get("work") ?? "");
      expect(kept.prompts).toContain("WORK on it");
      expect(kept.transcript).toContain("WORK on it");
      expect(kept.transcript).toContain("work.txt");
    },
  },
  {
    name: "tokens",
    session: "work",
    script: () => [],
    check(world) {
      const { metadata } = world.keptSession(world.conversations.get("work") ?? "");
      expect(metadata["token_usage"]).toMatchObject({ output_tokens: expect.any(Number) });
    },
  },
  {
    name: "resume",
    session: "again",
    lacks: ({ can }) => (can.resume ? undefined : "on its screen alone"),
    script: () => [
      [read("after.txt")],
      [edit("after.txt", "after the commit", "after it, resumed")],
      [shell("echo again > again.txt")],
    ],
    check(world, { asked }) {
      expect(world.conversations.get("again")).toBe(world.conversations.get("work"));
      expect(asked.at(-1)).toContain("WORK on it");
      expect(world.owners("after.txt", "again")).toEqual([
        ["after it, resumed", "agent"],
        ["nobody saw this either", "unknown"],
      ]);
    },
  },
  {
    name: "plan mode",
    session: "plan",
    lacks: ({ plan }) => (plan === undefined ? "on its screen alone" : undefined),
    files: { "plan.txt": "p1\np2\n" },
    script: (world) => [
      [read("plan.txt")],
      [edit("plan.txt", "p1", "p1 by the agent"), write("made.txt", "made\n")],
      [meanwhile(() => appendFileSync(world.at("plan.txt"), "typed while it plans\n")), read("plan.txt")],
    ],
    check(world) {
      expect(existsSync(world.at("made.txt"))).toBe(false);
      expect(world.owners("plan.txt", "plan")).toEqual([
        ["p1", "unknown"],
        ["p2", "unknown"],
        ["typed while it plans", "unknown"],
      ]);
      expect(world.problems()).toEqual([]);
    },
  },
  {
    name: "interrupt",
    session: "interrupt",
    script: (world) => [
      [write("cut.txt", "before\n")],
      [shell(`echo half >> cut.txt; touch '${world.beside("cut")}'; sleep 20; echo never >> cut.txt`)],
    ],
    check(world) {
      const [first, half, person] = world.owners("cut.txt", "interrupt");
      expect(first).toEqual(["before", "agent"]);
      // whether the interrupted call is told at all is the agent's affair; it is never anybody else's
      expect([["half", "agent"] as const, ["half", "unknown"] as const]).toContainEqual(half);
      expect(person).toEqual(["typed afterwards", "unknown"]);
    },
  },
  {
    name: "compaction",
    session: "compaction",
    lacks: ({ compact }) => (compact === undefined ? "our script does not bring it about" : undefined),
    script: ({ agent }) => [
      [write("long.txt", "l1\nl2\n")],
      [{ do: "fill", tokens: agent.compact?.fullAt ?? 0 }, shell("echo l3 >> long.txt")],
      [write("longer.txt", "m1\n")],
      [shell("echo l4 >> long.txt")],
    ],
    check(world, { summaries }) {
      expect(summaries).toBeGreaterThan(0);
      expect(world.owners("long.txt", "compaction")).toEqual([
        ["l1", "agent"],
        ["l2", "agent"],
        ["l3", "agent"],
        ["l4", "agent"],
      ]);
      expect(world.owners("longer.txt", "compaction")).toEqual([["m1", "agent"]]);
    },
  },
  {
    name: "fork",
    session: "fork",
    lacks: ({ fork }) => (fork === undefined ? "on its screen alone" : undefined),
    script: () => [
      [read("edit.txt")],
      [edit("edit.txt", "e1", "e1 forked")],
      [write("fork.txt", "in the fork\n")],
    ],
    check(world, { asked }) {
      expect(world.conversations.get("fork")).not.toBe(world.conversations.get("work"));
      expect(asked.at(-1)).toContain("WORK on it");
      expect(world.owners("fork.txt", "fork")).toEqual([["in the fork", "agent"]]);
      const owners = world.blame("edit.txt").map(({ owner }) => owner?.conversation);
      expect(owners).toEqual([world.conversations.get("fork"), world.conversations.get("work")]);
    },
  },
  {
    name: "worktree",
    session: "elsewhere",
    script: () => [[write("../linked/in-worktree.txt", "in the worktree\n")]],
    check: (world) =>
      expect(world.owners("in-worktree.txt", "elsewhere", { cwd: world.beside("linked") })).toEqual([
        ["in the worktree", "agent"],
      ]),
  },
  {
    name: "submodule",
    session: "elsewhere",
    script: () => [
      [write("sub/in-submodule.txt", "in the submodule\n")],
      [shell("echo by shell > sub/by-shell.txt")],
    ],
    check(world) {
      const cwd = world.at("sub");
      expect(world.owners("in-submodule.txt", "elsewhere", { cwd })).toEqual([["in the submodule", "agent"]]);
    },
  },
  {
    name: "two repositories",
    session: "elsewhere",
    script: () => [[write("../second/in-second.txt", "in the second\n")]],
    check: (world) =>
      expect(world.owners("in-second.txt", "elsewhere", { cwd: world.beside("second") })).toEqual([
        ["in the second", "agent"],
      ]),
  },
  {
    name: "two agents in one file",
    session: "pair",
    files: { "pair.txt": "p1\np2\np3\np4\np5\np6\np7\n" },
    script: (world) => [
      [read("pair.txt")],
      [edit("pair.txt", "p1", "p1 by the first")],
      // the other agent works while this call is open
      [
        shell(
          `touch '${world.beside("pair-go")}'; ${untilThere(world.beside("pair-done"))}; echo by its shell > pair-shell.txt`,
        ),
      ],
      // some refuse to edit what has changed since they read it
      [read("pair.txt")],
      [edit("pair.txt", "p4", "p4 by the first")],
    ],
    check(world) {
      const owners = world.blame("pair.txt").map(({ content, owner }) => [content, owner?.tool]);
      const partner = world.conversations.get("partner");
      expect(owners).toEqual([
        ["p1 by the first", world.agent.name],
        ["p2", undefined],
        ["p3", undefined],
        ["p4 by the first", world.agent.name],
        ["p5", undefined],
        ["p6", undefined],
        ["p7 by the other", partner],
      ]);
      expect(world.blame("pair-other.txt").map(({ owner }) => owner?.tool)).toEqual([partner]);
      expect(world.owners("pair-shell.txt", "pair")).toEqual([["by its shell", "agent"]]);
    },
  },
];

/** Rows whose whole outcome is known without a run: what the agent has no means for, or does not tell. */
export function limitOf({ name, lacks }: Scenario, agent: RealAgent): string | undefined {
  return lacks?.(agent) ?? agent.limits?.[name];
}

/** What a person leaves behind between two sessions. */
export function typeBetween(world: ConformanceWorld): void {
  appendFileSync(world.at("after.txt"), "nobody saw this either\n");
  writeFileSync(world.at("shell.txt"), "from shell\nnor this\n");
}
