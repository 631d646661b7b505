// Covers src/bin/**, src/cli/hook/**.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { maxHookPayloadBytes } from "../../src/base/limits.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.keyframe(["enable"]);
});
afterEach(() => repository.remove());

const at = (path: string) => join(repository.folder, path);

function payload(event: string, path: string, more: object = {}): string {
  return JSON.stringify({
    session_id: "session-1",
    transcript_path: at("../home/.claude/projects/x/transcript.jsonl"),
    cwd: repository.folder,
    hook_event_name: event,
    tool_name: "Write",
    tool_use_id: "toolu_1",
    tool_input: { file_path: path },
    ...more,
  });
}

interface Hook {
  readonly stdin?: string | Buffer;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly agent?: string;
}

/** Runs the hook as an agent does; it must end with 0 and print nothing, whatever it is given. */
function hook({ stdin = "", cwd = repository.folder, env = repository.env, agent = "claude" }: Hook): void {
  const result = spawnSync(process.execPath, [keyframeProgram, "hook", agent], { cwd, env, input: stdin });
  const shown = [result.status, result.signal, result.stdout.toString(), result.stderr.toString()];
  expect(shown).toEqual([0, null, "", ""]);
}

function status(): {
  pending: { path: string; owners: { name: string; model?: string; lines: number }[] }[];
  problems: { where: string; what: string }[];
} {
  return JSON.parse(repository.keyframe(["status", "--json"]).stdout);
}

const problems = () => status().problems.map(({ where, what }) => `${where}: ${what}`);
const pending = () =>
  status().pending.map(({ path, owners }) => [path, ...owners.map(({ name, lines }) => `${name} ${lines}`)]);

describe("an edit", () => {
  test("is credited by the difference between the hooks before and after it", () => {
    repository.write("a", "mine\n");
    hook({ stdin: payload("PreToolUse", at("a")) });
    repository.write("a", "mine\ntheirs\n");
    hook({ stdin: payload("PostToolUse", at("a")) });
    expect(pending()).toEqual([["a", "claude 1"]]);
    expect(problems()).toEqual([]);
  });

  test("carries the model that the transcript names", () => {
    const message = { type: "assistant", message: { role: "assistant", model: "some-model-5", content: [] } };
    mkdirSync(at("../home/.claude/projects/x"), { recursive: true });
    writeFileSync(
      at("../home/.claude/projects/x/transcript.jsonl"),
      `${"x".repeat(100_000)}\n${JSON.stringify(message)}\n`,
    );
    repository.write("a", "1\n");
    hook({ stdin: payload("PostToolUse", "a", { tool_response: { type: "create", originalFile: null } }) });
    expect(status().pending[0]?.owners[0]).toMatchObject({ name: "claude", model: "some-model-5" });
  });
});

describe("what cannot be recorded leaves a reason and never disturbs the agent", () => {
  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["zero bytes", Buffer.alloc(1000)],
    ["a payload of Cursor", '{"cursor_version":"1","cwd":"/","hook_event_name":"PostToolUse"}'],
  ])("%s", (_, stdin) => {
    hook({ stdin });
    expect(problems()).toEqual([expect.stringMatching(/^claude: refused: /)]);
  });

  test("an agent that nobody knows", () => {
    hook({ agent: "robot" });
    expect(problems()).toEqual([expect.stringContaining("robot")]);
  });

  test("input beyond the limit, and input as large as a real large file", () => {
    hook({ stdin: Buffer.alloc(maxHookPayloadBytes + 1, 0x20) });
    expect(problems()).toEqual([expect.stringContaining("larger than")]);
    const original = "line\n".repeat(200_000);
    repository.write("big", `${original}new\n`);
    hook({ stdin: payload("PostToolUse", at("big"), { tool_response: { originalFile: original } }) });
    expect(pending()).toEqual([["big", "claude 1"]]);
  });

  test.each([
    ["a path that leaves the repository", "../other/file", /belongs to another repository/],
    ["a path in the repository's own folder", ".git/config", /inside a git directory/],
    ["a path through a symlink that leads out", "out/file", /through a symlink/],
    ["a path through a symlink into another repository", "away/file", /belongs to another repository/],
    ["a path through a symlink into the repository's own folder", "inner/config", /inside a git directory/],
    ["a path longer than the system allows", "a".repeat(5000), /no usable file/],
  ])("%s", (_, path, why) => {
    repository.git("init", "-q", "../other");
    mkdirSync(at("folder"));
    symlinkSync("../..", at("out"));
    symlinkSync("../other", at("away"));
    symlinkSync(".git", at("inner"));
    hook({ stdin: payload("PreToolUse", path) });
    hook({ stdin: payload("PostToolUse", path, { tool_response: { originalFile: "x\n" } }) });
    expect(pending()).toEqual([]);
    expect(problems()).toEqual([expect.stringMatching(why), expect.stringMatching(why)]);
  });

  test("a folder that is gone, no home, an empty environment", () => {
    hook({ stdin: payload("PostToolUse", at("a"), { cwd: "/nowhere/at/all" }) });
    repository.write("a", "1\n");
    const made = { tool_response: { type: "create", originalFile: null } };
    hook({ stdin: payload("PostToolUse", at("a"), made), env: {} });
    expect(pending()).toEqual([["a", "claude 1"]]);
  });

  test("a repository that cannot be written", () => {
    repository.write("a", "1\n");
    // a file where the journal's directory should be stops root too, unlike a read-only directory
    rmSync(at(".git/keyframe"), { recursive: true });
    writeFileSync(at(".git/keyframe"), "");
    hook({ stdin: payload("PreToolUse", at("a")) });
    hook({
      stdin: payload("PostToolUse", at("a"), { tool_response: { originalFile: null, type: "create" } }),
    });
    hook({ stdin: "{", agent: "claude" });
  });

  test("outside of any repository", () => {
    hook({ stdin: payload("PostToolUse", "/etc/hostname", { cwd: "/etc" }), cwd: "/etc" });
    hook({ stdin: "{", cwd: "/etc" });
  });

  test("standard output and error that are closed", async () => {
    const child = spawn(
      "sh",
      ["-c", `exec "$0" "$1" hook claude >&- 2>&-`, process.execPath, keyframeProgram],
      {
        cwd: repository.folder,
        env: repository.env,
        stdio: ["pipe", "ignore", "ignore"],
      },
    );
    child.stdin?.end("{");
    expect((await once(child, "exit"))[0]).toBe(0);
    expect(problems()).toEqual([expect.stringMatching(/^claude: refused: /)]);
  });

  test("input that comes in pieces, from a file, or from nowhere", async () => {
    repository.write("a", "1\n");
    const text = payload("PostToolUse", at("a"), { tool_response: { type: "create", originalFile: null } });
    const child: ChildProcess = spawn(process.execPath, [keyframeProgram, "hook", "claude"], {
      cwd: repository.folder,
      env: repository.env,
    });
    for (const piece of text.match(/.{1,50}/gs) ?? []) {
      await new Promise((resolve) => child.stdin?.write(piece, resolve));
    }
    child.stdin?.end();
    expect((await once(child, "exit"))[0]).toBe(0);
    expect(pending()).toEqual([["a", "claude 1"]]);
    const nowhere = openSync("/dev/null", "r");
    const result = spawnSync(process.execPath, [keyframeProgram, "hook", "claude"], {
      cwd: repository.folder,
      env: repository.env,
      stdio: [nowhere, "pipe", "pipe"],
    });
    closeSync(nowhere);
    expect(result.status).toBe(0);
    expect(problems()).toEqual(["claude: refused: the payload is empty"]);
  });
});

describe("git's hooks", () => {
  test("settle a commit, and stay silent where there is nothing", () => {
    repository.write("a", "1\n2\n");
    hook({
      stdin: payload("PostToolUse", at("a"), { tool_response: { type: "create", originalFile: null } }),
    });
    const commit = repository.commit("one");
    expect(repository.git("notes", "--ref=ai", "show", commit)).toMatch(/^a\n {2}s_\w+::t_\w+ 1-2\n---/);
    repository.write("b", "mine\n");
    repository.commit("two");
    expect(repository.git("notes", "--ref=ai", "list").split("\n")).toHaveLength(1);
    expect(problems()).toEqual([]);
  });

  test("carry the note of a commit whose message was changed", () => {
    repository.write("a", "1\n");
    hook({
      stdin: payload("PostToolUse", at("a"), { tool_response: { type: "create", originalFile: null } }),
    });
    repository.commit("one");
    repository.git("commit", "-q", "--amend", "-m", "other words");
    expect(repository.git("notes", "--ref=ai", "show", "HEAD")).toMatch(/^a\n {2}s_\w+::t_\w+ 1\n---/);
  });

  test("never fail the command, not even with a damaged journal", () => {
    repository.write("a", "1\n");
    hook({
      stdin: payload("PostToolUse", at("a"), { tool_response: { type: "create", originalFile: null } }),
    });
    mkdirSync(at(".git/keyframe/journal/settle.lock"));
    const result = spawnSync("git", ["commit", "-qam", "one", "--allow-empty"], {
      cwd: repository.folder,
      env: repository.env,
    });
    expect([result.status, result.stderr.toString()]).toEqual([0, ""]);
  });
});
