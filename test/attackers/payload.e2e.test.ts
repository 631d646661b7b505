import { execFileSync, spawnSync } from "node:child_process";
import {
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

// Who can make a hook run with a payload of their own attacks: an agent that reads hostile text, a tool that it calls.
let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.keyframe(["enable"]);
  mkdirSync(projects(), { recursive: true });
});
afterEach(() => repository.remove());

const id = "11111111-2222-3333-4444-555555555555";
const secret = "a line that nobody else may read";
const isRoot = process.getuid?.() === 0;

const home = () => repository.env["HOME"] ?? "";
const projects = () => join(home(), ".claude/projects/-work");
const own = () => join(projects(), `${id}.jsonl`);
const line = (content: string) => `${JSON.stringify({ type: "user", message: { role: "user", content } })}\n`;

interface Hook {
  readonly path: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly agent?: string;
}

/** A turn with an edit, as an agent's hooks tell it, and the commit of it. */
function turn({ path, env = {}, agent = "claude" }: Hook): void {
  const hook = (event: string, more: object = {}) => {
    const payload = {
      session_id: id,
      transcript_path: path,
      cwd: repository.folder,
      hook_event_name: event,
      ...more,
    };
    const result = spawnSync(process.execPath, [keyframeProgram, "hook", agent], {
      cwd: repository.folder,
      env: { ...repository.env, ...env },
      input: JSON.stringify(payload),
      encoding: "utf8",
    });
    expect([result.status, result.stdout, result.stderr]).toEqual([0, "", ""]);
  };
  const edit = {
    tool_name: "Write",
    tool_use_id: "toolu_1",
    tool_input: { file_path: join(repository.folder, "a") },
  };
  hook("UserPromptSubmit", { prompt: "hi" });
  hook("PreToolUse", edit);
  repository.write("a", "by the agent\n");
  hook("PostToolUse", edit);
  hook("Stop");
  repository.commit("one");
}

/** Everything that Keyframe and git keep, as the bytes that a push could send. */
function kept(): string {
  const objects = execFileSync("git", ["cat-file", "--batch", "--batch-all-objects"], {
    cwd: repository.folder,
    env: repository.env,
  });
  const folder = join(repository.folder, ".git/keyframe");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "utf8"));
  return objects.toString("latin1") + files.join("\n");
}

const problems = () => repository.keyframe(["status"]).stdout;

test("a conversation at its place is stored", () => {
  writeFileSync(own(), line("the question"));
  turn({ path: own() });
  expect(kept()).toContain("the question");
  expect(problems()).not.toContain("refused");
});

describe("a transcript_path that is not a transcript of the agent's is refused by name, and nothing of it is kept", () => {
  /** Text in the form of a transcript, so that only the place is wrong. */
  const hide = (path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, line(secret), { mode: 0o600 });
    return path;
  };
  const attacks: readonly (readonly [string, () => string])[] = [
    [
      "a symlink in the agent's directory",
      () => {
        symlinkSync(hide(join(home(), "private/file.jsonl")), own());
        return own();
      },
    ],
    [
      "a directory on the way that is a symlink",
      () => {
        hide(join(home(), "private/file.jsonl"));
        symlinkSync(join(home(), "private"), join(projects(), "linked"));
        return join(projects(), "linked/file.jsonl");
      },
    ],
    ["a file elsewhere in the user's home", () => hide(join(home(), ".aws/session.jsonl"))],
    ["another file of the agent's", () => hide(join(home(), ".claude/history.jsonl"))],
    [
      "a way out of the agent's directory",
      () => {
        hide(join(home(), "private/file.jsonl"));
        return `${projects()}/../../../private/file.jsonl`;
      },
    ],
    [
      "the directory of another agent",
      () => hide(join(home(), ".codex/sessions/2026/01/02/rollout-x.jsonl")),
    ],
    ["a file in the repository", () => hide(join(repository.folder, ".git/t.jsonl"))],
    [
      "text that is no transcript",
      () => {
        writeFileSync(own(), `${secret}\n`.repeat(50));
        return own();
      },
    ],
    [
      "lines of JSON of another kind",
      () => {
        writeFileSync(own(), `${JSON.stringify({ password: secret })}\n`.repeat(50));
        return own();
      },
    ],
    [
      "a pipe",
      () => {
        execFileSync("mkfifo", [own()]);
        return own();
      },
    ],
    [
      "a directory",
      () => {
        mkdirSync(own());
        return own();
      },
    ],
  ];
  test.each(attacks)("%s", (_name, prepare) => {
    const path = prepare();
    turn({ path });
    expect(kept()).not.toContain(secret);
    expect(problems()).toMatch(/refused: |is not a|is reached through/);
  });

  test.skipIf(!isRoot)("a file of another user's, also by a hard link", () => {
    const theirs = hide(join(home(), "theirs.jsonl"));
    chownSync(theirs, 64001, 64001);
    linkSync(theirs, own());
    turn({ path: own() });
    expect(kept()).not.toContain(secret);
    expect(problems()).toContain("belongs to another user");
  });

  test("a subagent's transcript that is a symlink", () => {
    const call = (toolUseId: string) => ({
      type: "assistant",
      message: {
        role: "assistant",
        content: [{ type: "tool_use", id: toolUseId, name: "Task", input: { description: "d" } }],
      },
    });
    const result = (toolUseId: string, agentId: string) => ({
      type: "user",
      toolUseResult: { agentId },
      message: { role: "user", content: [{ type: "tool_result", tool_use_id: toolUseId, content: "ok" }] },
    });
    writeFileSync(own(), `${JSON.stringify(call("t1"))}\n${JSON.stringify(result("t1", "abc"))}\n`);
    const folder = join(projects(), id, "subagents");
    mkdirSync(folder, { recursive: true });
    symlinkSync(hide(join(home(), "private/file.jsonl")), join(folder, "agent-abc.jsonl"));
    turn({ path: own() });
    expect(kept()).not.toContain(secret);
  });
});

describe("what users do is not an attack", () => {
  beforeEach(() => writeFileSync(own(), line("the question")));

  test("an agent's directory that is a symlink of the user's", () => {
    renameSync(join(home(), ".claude"), join(home(), "dotfiles"));
    symlinkSync(join(home(), "dotfiles"), join(home(), ".claude"));
    turn({ path: own() });
    expect(kept()).toContain("the question");
    expect(problems()).not.toContain("refused");
  });

  test("an agent whose directory is configured", () => {
    renameSync(join(home(), ".claude"), join(home(), "elsewhere"));
    const env = { CLAUDE_CONFIG_DIR: join(home(), "elsewhere") };
    turn({ path: join(home(), "elsewhere/projects/-work", `${id}.jsonl`), env });
    expect(kept()).toContain("the question");
  });

  test("a directory that the user names", () => {
    renameSync(projects(), join(home(), "kept"));
    const env = { KEYFRAME_TRANSCRIPTS: `/nowhere:${join(home(), "kept")}` };
    turn({ path: join(home(), "kept", `${id}.jsonl`), env });
    expect(kept()).toContain("the question");
  });

  test("a file that the user attaches by name", () => {
    writeFileSync(join(home(), "kept.jsonl"), line("from elsewhere"));
    repository.write("a", "1\n");
    const attach = ["session", "attach", id, "--transcript", join(home(), "kept.jsonl")];
    expect(repository.keyframe(attach).code).toBe(0);
    expect(kept()).toContain("from elsewhere");
  });
});

test("a file of gigabytes that a call leaves behind is decided on by its size, and kept nowhere", () => {
  repository.write("a", "1\n");
  repository.commit("start");
  const path = join(repository.folder, "a");
  const hook = (event: string, more: object) =>
    repository.keyframe(["hook", "claude"], {
      stdin: JSON.stringify({
        session_id: id,
        transcript_path: own(),
        cwd: repository.folder,
        hook_event_name: event,
        ...more,
      }),
    });
  const call = (toolUseId: string, tool: string, input: object) => ({
    tool_name: tool,
    tool_use_id: toolUseId,
    tool_input: input,
  });
  writeFileSync(own(), line("hi"));
  hook("UserPromptSubmit", { prompt: "hi" });
  hook("PreToolUse", call("1", "Write", { file_path: path }));
  truncateSync(path, 5 * 1024 ** 3);
  hook("PostToolUse", call("1", "Write", { file_path: path }));
  hook("PreToolUse", call("2", "Bash", { command: "make" }));
  truncateSync(path, 6 * 1024 ** 3);
  writeFileSync(join(repository.folder, "new"), "");
  truncateSync(join(repository.folder, "new"), 5 * 1024 ** 3);
  hook("PostToolUse", call("2", "Bash", { command: "make" }));
  hook("Stop", {});
  const sizes = execFileSync("du", ["-sk", join(repository.folder, ".git")], { encoding: "utf8" });
  expect(Number.parseInt(sizes, 10)).toBeLessThan(2000);
  const events = repository.keyframe(["journal", "--events", "--json"]).stdout;
  expect(events).toContain('"path":"new"');
});
