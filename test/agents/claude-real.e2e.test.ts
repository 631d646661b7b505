import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { installClaude, isOffline, runClaude } from "../support/real-claude.ts";
import { type ModelBlock, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

// biome-ignore lint/suspicious/noConsole: a test run without these must say so
if (isOffline) console.warn("KEYFRAME_OFFLINE is set: the tests with the real Claude Code are left out");

let program: string;
let repository: TestRepository;
let model: ScriptedModel | undefined;

const at = (path: string) => join(repository.folder, path);
const say = (text: string): ModelBlock => ({ type: "text", text });
const write = (path: string, content: string): ModelBlock => ({
  type: "tool_use",
  name: "Write",
  input: { file_path: at(path), content },
});
const edit = (path: string, old_string: string, new_string: string): ModelBlock => ({
  type: "tool_use",
  name: "Edit",
  input: { file_path: at(path), old_string, new_string },
});
const read = (path: string): ModelBlock => ({
  type: "tool_use",
  name: "Read",
  input: { file_path: at(path) },
});
const bash = (command: string): ModelBlock => ({
  type: "tool_use",
  name: "Bash",
  input: { command, description: "run" },
});
const subagent = (prompt: string): ModelBlock => ({
  type: "tool_use",
  name: "Agent",
  input: { description: "help", prompt, subagent_type: "general-purpose", run_in_background: false },
});

async function prompt(
  text: string,
  replies: readonly (readonly ModelBlock[])[],
  more: {
    readonly resume?: string;
    readonly cwd?: string;
    readonly subagents?: Record<string, readonly (readonly ModelBlock[])[]>;
  } = {},
): Promise<string> {
  const others = Object.entries(more.subagents ?? {}).map(([marker, turns]) => ({ marker, replies: turns }));
  model = await startScriptedModel([...others, { marker: text, replies: [...replies, [say("Done.")]] }]);
  try {
    return await runClaude({
      program,
      modelUrl: model.url,
      cwd: more.cwd ?? repository.folder,
      env: repository.env,
      prompt: text,
      ...(more.resume === undefined ? {} : { resume: more.resume }),
    });
  } finally {
    await model.close();
  }
}

type Owner = "session" | "human" | "unknown";

interface Blame {
  readonly blame: readonly {
    readonly content: string;
    readonly owner: {
      readonly kind: string;
      readonly tool?: string;
      readonly conversation?: string;
      readonly model?: string;
    } | null;
  }[];
}

/** Each line of a committed file with its owner; any agent but this conversation is an error. */
function owners(path: string, conversation: string): [string, Owner][] {
  const { blame } = JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as Blame;
  return blame.map(({ content, owner }) => {
    if (owner?.kind === "agent") {
      expect([path, owner.tool, owner.conversation]).toEqual([path, "claude", conversation]);
      expect(model?.modelNames).toContain(owner.model);
      return [content, "session"];
    }
    return [content, owner?.kind === "human" ? "human" : "unknown"];
  });
}

const problems = () =>
  (JSON.parse(repository.keyframe(["status", "--json"]).stdout) as { problems: unknown[] }).problems;

describe.skipIf(isOffline)("the real Claude Code", () => {
  beforeAll(() => {
    program = installClaude();
  });
  beforeEach(() => {
    repository = createTestRepository();
    repository.write("old.txt", "old 1\nold 2\nold 3\n");
    repository.commit("before");
    expect(repository.keyframe(["enable"]).code).toBe(0);
  });
  afterEach(() => repository.remove());

  test("every line of a long session has its owner: tools, shell, a human in between, a commit by the agent", async () => {
    const conversation = await prompt("BUILD", [
      [write("app.ts", "a1\na2\na3\n"), write("lib.ts", "l1\nl2\n")],
      [read("old.txt")],
      [edit("app.ts", "a2", "a2 better")],
      [edit("old.txt", "old 2\n", "old 2\nnew after 2\n")],
      // fails, and has changed two files before it does
      [bash("echo from shell > shell.txt; echo shell line >> old.txt; exit 3")],
      [edit("app.ts", "no such text", "x")],
    ]);

    // a person goes on with the same files: first seen by an editor, then by nobody
    appendFileSync(at("app.ts"), "human line\n");
    expect(repository.keyframe(["checkpoint", "known_human", "app.ts"]).code).toBe(0);
    appendFileSync(at("lib.ts"), "nobody saw this\n");
    writeFileSync(at("shell.txt"), "from shell\nnor this\n");

    const again = await prompt(
      "GO ON",
      [
        [read("lib.ts"), read("app.ts")],
        [edit("lib.ts", "l1", "l1 resumed"), edit("app.ts", "a3\n", "a3\na4\n")],
        [bash("echo made and committed > late.txt && git add -A && git commit -qm 'by the agent'")],
        [write("after.ts", "after the commit\n")],
      ],
      { resume: conversation },
    );
    expect(again).toBe(conversation);
    expect(repository.git("log", "-1", "--format=%s")).toBe("by the agent");
    repository.commit("the rest");

    expect(owners("app.ts", conversation)).toEqual([
      ["a1", "session"],
      ["a2 better", "session"],
      ["a3", "session"],
      ["a4", "session"],
      ["human line", "human"],
    ]);
    expect(owners("lib.ts", conversation)).toEqual([
      ["l1 resumed", "session"],
      ["l2", "session"],
      ["nobody saw this", "unknown"],
    ]);
    expect(owners("old.txt", conversation)).toEqual([
      ["old 1", "unknown"],
      ["old 2", "unknown"],
      ["new after 2", "session"],
      ["old 3", "unknown"],
      ["shell line", "session"],
    ]);
    expect(owners("shell.txt", conversation)).toEqual([
      ["from shell", "session"],
      ["nor this", "unknown"],
    ]);
    expect(owners("late.txt", conversation)).toEqual([["made and committed", "session"]]);
    expect(owners("after.ts", conversation)).toEqual([["after the commit", "session"]]);
    expect(problems()).toEqual([]);
  });

  test("a subagent's edits and shell calls belong to the conversation, beside those of its parent", async () => {
    const conversation = await prompt(
      "DELEGATE",
      [
        [write("mine.ts", "m1\n"), subagent("SUBTASK one")],
        [edit("mine.ts", "m1\n", "m1\nm2\n"), bash("git add -A && git commit -qm both")],
      ],
      {
        subagents: {
          "SUBTASK one": [[write("sub.ts", "s1\n")], [bash("echo s2 >> sub.ts; echo o >> sub-shell.txt")]],
        },
      },
    );
    expect(owners("mine.ts", conversation)).toEqual([
      ["m1", "session"],
      ["m2", "session"],
    ]);
    expect(owners("sub.ts", conversation)).toEqual([
      ["s1", "session"],
      ["s2", "session"],
    ]);
    expect(owners("sub-shell.txt", conversation)).toEqual([["o", "session"]]);
    expect(problems()).toEqual([]);
  });

  test("two conversations in one repository keep their lines apart", async () => {
    const first = await prompt("FIRST", [[write("one.ts", "1\n")]]);
    const second = await prompt("SECOND", [[write("two.ts", "2\n"), bash("echo 3 >> one.ts")]]);
    repository.commit("both");
    expect(second).not.toBe(first);
    const { blame } = JSON.parse(repository.keyframe(["blame", "--json", "one.ts"]).stdout) as Blame;
    expect(blame.map(({ owner }) => owner?.conversation)).toEqual([first, second]);
    expect(owners("two.ts", second)).toEqual([["2", "session"]]);
  });

  test("hooks fire in a subfolder and in a linked worktree, once each also with shared settings", async () => {
    mkdirSync(at("deep"));
    repository.git("worktree", "add", "-q", "../linked");
    const inDeep = await prompt("DEEP", [[write("deep/d.ts", "d\n")]], { cwd: at("deep") });
    const linked = join(repository.folder, "../linked");
    const inLinked = await prompt("LINKED", [[write("../linked/k.ts", "k\n")]], { cwd: linked });
    // equal commands in two settings files: the log of the journal shows how often the hook ran
    const bin = join(repository.folder, "../bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "keyframe"), `#!/bin/sh\necho "$*" >> ${bin}/calls\n`, { mode: 0o755 });
    repository.env["PATH"] = `${bin}:${repository.env["PATH"]}`;
    expect(repository.keyframe(["enable", "--shared"]).code).toBe(0);
    await prompt("SHARED", [[read("old.txt")], [write("shared.ts", "s\n")]]);
    const calls = readFileSync(join(bin, "calls"), "utf8").trim().split("\n");
    expect(calls).toEqual(Array(6).fill("hook claude"));
    repository.commit("all");
    expect(owners("deep/d.ts", inDeep)).toEqual([["d", "session"]]);
    repository.git("-C", "../linked", "add", "-A");
    repository.git("-C", "../linked", "commit", "-qm", "linked");
    expect(existsSync(join(linked, ".claude"))).toBe(false);
    repository.git("merge", "-q", "linked", "-m", "merge");
    expect(owners("k.ts", inLinked)).toEqual([["k", "session"]]);
  });
});
