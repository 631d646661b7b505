import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AgentAction, edit, read, shell, write } from "../support/agents/agent-actions.ts";
import { type RealAgent, runRealAgent, writeAgentSettings } from "../support/agents/real-agent.ts";
import { realAgents } from "../support/agents/real-agents.ts";
import { isOffline } from "../support/real-claude.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

// biome-ignore lint/suspicious/noConsole: a test run without these must say so
if (isOffline) console.warn("KEYFRAME_OFFLINE is set: the conformance tests with real agents are left out");

const only = process.env["KEYFRAME_AGENTS"]?.split(",");
const agents = realAgents.filter(({ name }) => only === undefined || only.includes(name));

let repository: TestRepository;

const at = (path: string) => join(repository.folder, path);

interface Line {
  readonly content: string;
  readonly owner: {
    readonly kind: string;
    readonly tool?: string;
    readonly conversation?: string;
    readonly model?: string;
  } | null;
}

const blame = (path: string) =>
  (JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as { blame: readonly Line[] }).blame;

/** Each line with its owner; any agent but this one, and any model but its own, is an error. */
function owners(
  path: string,
  agent: RealAgent,
  conversation: string,
): [string, "session" | "human" | "unknown"][] {
  return blame(path).map(({ content, owner }) => {
    if (owner?.kind !== "agent") return [content, owner?.kind === "human" ? "human" : "unknown"];
    expect([path, owner.tool, owner.conversation, owner.model]).toEqual([
      path,
      agent.name,
      conversation,
      agent.model,
    ]);
    return [content, "session"];
  });
}

const problems = () =>
  (JSON.parse(repository.keyframe(["status", "--json"]).stdout) as { problems: unknown[] }).problems;

function connect(agent: RealAgent): void {
  // its own settings may stand in the file that takes the hooks in
  const home = repository.env["HOME"] ?? "";
  writeAgentSettings(agent, { url: "http://127.0.0.1:1", cwd: repository.folder, home });
  expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
  const words = agent.isHomeOnly === true ? ["--global", "--agent"] : ["--agent"];
  const result = repository.keyframe(["enable", ...words, agent.name]);
  expect([result.code, result.stderr]).toEqual([0, expect.anything()]);
}

function prompt(
  agent: RealAgent,
  text: string,
  replies: readonly (readonly AgentAction[])[],
  resume?: string,
): Promise<string> {
  const { folder, env } = repository;
  const more = resume === undefined ? {} : { resume };
  return runRealAgent({ agent, cwd: folder, env, prompt: text, replies, ...more });
}

describe.skipIf(isOffline).each(agents)("$name $version", (agent) => {
  beforeEach(() => {
    repository = createTestRepository();
    repository.write("old.txt", "old 1\nold 2\nold 3\n");
    repository.write("gone.txt", "g\n");
    repository.commit("before");
  });
  afterEach(() => repository.remove());

  test("every line has its owner: tools, shell, failures, a person in between, a commit by the agent", async () => {
    connect(agent);
    const odd =
      agent.can.quotedPaths === false ? "dir with space/ü [1].txt" : `dir with space/it's "ü" [1].txt`;
    await prompt(agent, "BUILD the app", [
      [write("app.ts", "a1\na2\na3\n")],
      [edit("app.ts", "a2", "a2 better")],
      [shell("mkdir 'dir with space'")],
      [write(odd, "odd\n")],
      [read("old.txt")],
      [edit("old.txt", "old 2", "old 2\nnew after 2")],
      [shell("echo from shell > shell.txt; echo shell line >> old.txt; rm gone.txt")],
      // fails, and has changed a file before it does
      [shell("echo half > half.txt; exit 3")],
      [edit("app.ts", "no such text", "x")],
      [shell("git add -A && git commit -qm 'by the agent'")],
      [write("after.ts", "after the commit\n")],
    ]);
    expect(repository.git("log", "-1", "--format=%s")).toBe("by the agent");
    const conversation = blame("app.ts")[0]?.owner?.conversation ?? "nobody";

    // a person goes on with the same files: first seen by an editor, then by nobody
    appendFileSync(at("app.ts"), "human line\n");
    expect(repository.keyframe(["checkpoint", "known_human", "app.ts"]).code).toBe(0);
    appendFileSync(at("after.ts"), "nobody saw this\n");
    writeFileSync(at("shell.txt"), "from shell\nnor this\n");

    const again = agent.can.resume ? conversation : undefined;
    await prompt(
      agent,
      "GO ON with it",
      [
        [read("after.ts")],
        [edit("after.ts", "after the commit", "after it, resumed")],
        [shell("echo late > late.txt")],
      ],
      again,
    );
    repository.commit("the rest");
    const second = blame("late.txt")[0]?.owner?.conversation ?? "nobody";
    if (agent.can.resume) expect(second).toBe(conversation);

    const first = (path: string) => owners(path, agent, conversation);
    expect(first("app.ts")).toEqual([
      ["a1", "session"],
      ["a2 better", "session"],
      ["a3", "session"],
      ["human line", "human"],
    ]);
    expect(first(odd)).toEqual([["odd", "session"]]);
    expect(first("old.txt")).toEqual([
      ["old 1", "unknown"],
      ["old 2", "unknown"],
      ["new after 2", "session"],
      ["old 3", "unknown"],
      ["shell line", "session"],
    ]);
    expect(first("shell.txt")).toEqual([
      ["from shell", "session"],
      ["nor this", "unknown"],
    ]);
    expect(first("half.txt")).toEqual([["half", "session"]]);
    expect(owners("late.txt", agent, second)).toEqual([["late", "session"]]);
    expect(owners("after.ts", agent, second)).toEqual([
      ["after it, resumed", "session"],
      ["nobody saw this", "unknown"],
    ]);
    expect(problems()).toEqual([]);

    // the conversation is behind the commits
    const list = JSON.parse(repository.keyframe(["list", "--json"]).stdout) as unknown;
    expect(JSON.stringify(list)).toContain("BUILD the app");
  });
});
