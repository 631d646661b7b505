import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

// Who wrote the files of a repository that the user cloned attacks.
let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
});
afterEach(() => repository.remove());

const at = (path: string) => join(repository.folder, path);
const hasTerminal = spawnSync("script", ["--version"]).status === 0;
const sprung = () => at("../sprung");

function hook(event: string, more: object = {}, cwd = repository.folder): void {
  const payload = {
    session_id: "11111111-2222-3333-4444-555555555555",
    transcript_path: at("../t.jsonl"),
    cwd,
    hook_event_name: event,
    ...more,
  };
  const result = repository.keyframe(["hook", "claude"], {
    stdin: JSON.stringify(payload),
    cwd: dirname(cwd),
  });
  expect([result.code, result.stdout, result.stderr]).toEqual([0, "", ""]);
}

describe("a bare repository among the files of a clone", () => {
  beforeEach(() => {
    const trap = at("../trap.sh");
    writeFileSync(trap, `#!/bin/sh\necho >>${sprung()}\n`, { mode: 0o755 });
    repository.commit("one");
    repository.git("init", "-q", "--bare", "-b", "main", "docs/data");
    for (const name of [
      "core.fsmonitor",
      "core.sshCommand",
      "gpg.program",
      "core.hooksPath",
      "diff.external",
    ])
      repository.git(
        "--git-dir",
        "docs/data",
        "config",
        name,
        name === "core.hooksPath" ? dirname(trap) : trap,
      );
    repository.git("--git-dir", "docs/data", "config", "remote.origin.url", "ssh://nobody@localhost/x");
    repository.git("push", "-q", "docs/data", "main");
  });

  describe("with safe.bareRepository=explicit", () => {
    beforeEach(() => repository.git("config", "--global", "safe.bareRepository", "explicit"));

    test("every command refuses it, with what git says, and runs and writes nothing", () => {
      const before = readdirSync(at("docs/data"), { recursive: true });
      for (const args of [
        ["status"],
        ["stats"],
        ["list"],
        ["fetch"],
        ["push"],
        ["settle"],
        ["doctor"],
        ["log"],
      ]) {
        const { code, stderr } = repository.keyframe(args, { cwd: at("docs/data") });
        expect([args, code]).toEqual([args, 4]);
        expect(stderr).toContain("safe.bareRepository");
      }
      expect(readdirSync(at("docs/data"), { recursive: true })).toEqual(before);
      expect(existsSync(sprung())).toBe(false);
    });

    test("no hook touches it", () => {
      const before = readdirSync(at("docs/data"), { recursive: true });
      const file_path = at("docs/data/description");
      for (const event of ["SessionStart", "UserPromptSubmit", "Stop"]) hook(event, {}, at("docs/data"));
      hook(
        "PreToolUse",
        { tool_name: "Bash", tool_use_id: "1", tool_input: { command: "true" } },
        at("docs/data"),
      );
      hook("PostToolUse", { tool_name: "Write", tool_use_id: "2", tool_input: { file_path } });
      expect(readdirSync(at("docs/data"), { recursive: true })).toEqual(before);
      expect(existsSync(sprung())).toBe(false);
      expect(repository.keyframe(["status"]).stdout).toContain("safe.bareRepository");
    });

    test("the git directory of a clone, of a worktree and of a submodule stay usable", () => {
      repository.git("worktree", "add", "-q", at("../linked"));
      const from = at("docs/data");
      repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", from, "module");
      for (const place of [".git", "../linked", "module", ".git/modules/module", ".git/worktrees/linked"])
        expect([place, repository.keyframe(["list"], { cwd: at(place) }).code]).toEqual([place, 0]);
    });
  });

  test("is usable where git is not told otherwise", () => {
    expect(repository.keyframe(["list"], { cwd: at("docs/data") }).code).toBe(0);
  });
});

test("a pointer to a git directory that is larger than any path is none, and is not read", () => {
  mkdirSync(at("inner"));
  writeFileSync(at("inner/.git"), `gitdir: ${"x".repeat(20_000_000)}\n`);
  expect(repository.keyframe(["list"], { cwd: at("inner") }).code).toBe(0);
});

describe("names and texts that drive a terminal", () => {
  const hostile = "\u001b]0;owned\u0007\u001b[2J\u202eevil\u200b\u009b31m";
  // what no part of an answer may hold, on a terminal or in a pipe
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  const forbidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069]/;

  beforeEach(() => {
    repository.write(`${hostile}\nforged: line`, "1\n");
    repository.git("config", "user.name", `Ann ${hostile}`);
    const environment = { ...repository.env, GIT_AUTHOR_NAME: `Ann ${hostile}` };
    repository.git("add", "-A");
    repository.gitBytes(["commit", "-q", "-m", `subject ${hostile}`], { env: environment });
    const session = {
      agent_id: { tool: `claude${hostile}`, id: `x${hostile}\nforged: line`, model: hostile },
    };
    const metadata = {
      schema_version: "authorship/3.0.0",
      sessions: { s_1: session },
      prompts: {},
      humans: {},
    };
    repository.git("branch", "\u202eevil;$(id)");
    repository.git("config", "remote.origin.url", `https://example.invalid/${hostile}`);
    repository.note("HEAD", `a\n  s_1 1\n---\n${JSON.stringify(metadata)}`);
  });

  test("reach it from no command, in text, JSON and errors", () => {
    const commands = [
      ["status"],
      ["log", "--json"],
      ["show", "HEAD"],
      ["stats", "HEAD"],
      ["stats", "HEAD", "--json"],
      ["list"],
      ["list", "--json"],
      ["explain", hostile],
      ["explain", `${hostile}\nforged: line`],
      ["explain", "HEAD"],
      ["search", hostile],
      ["session", "list"],
      ["session", "stop", hostile],
      ["resume", hostile],
      ["rewind", "--to", hostile],
      ["fetch", "--remote", hostile],
      ["checkpoint", "human", hostile],
      ["tokens"],
      ["doctor"],
      ["timeline", "--all"],
      ["timeline", hostile],
      ["mark", `mark ${hostile}`],
      ["timeline", "--json"],
      ["fork", hostile],
      ["fork", "--list"],
      ["agents"],
      ["report", "HEAD"],
      ["export"],
      ["blame", "--json", `${hostile}\nforged: line`],
      ["diff", "--json", "HEAD"],
      ["journal", "--events", "--json"],
      ["race", "list"],
      ["race", "show", hostile],
      ["sandbox", "show", hostile],
      ["image", "show", hostile],
      ["snapshot", "show", hostile],
      ["rm", hostile],
      ["redact", "--dry-run"],
      ["clean"],
      ["trace"],
      ["complete-words", "fork", ""],
    ];
    for (const args of commands) {
      const { stdout, stderr } = repository.keyframe(args);
      const at = forbidden.exec(stdout + stderr)?.index;
      expect([
        args[0],
        at === undefined ? "" : JSON.stringify((stdout + stderr).slice(Math.max(0, at - 60), at + 20)),
      ]).toEqual([args[0], ""]);
      expect([args[0], (stdout + stderr).includes("\nforged: line")]).toEqual([args[0], false]);
    }
  });

  test.skipIf(!hasTerminal)(
    "reach a terminal neither through git's own output (needs the program script)",
    () => {
      for (const command of ["log", "log --oneline", "blame *", "diff HEAD~0", "show HEAD"]) {
        const words = `'${process.execPath}' '${keyframeProgram}' ${command}`;
        const env = { ...repository.env, NO_COLOR: "1", GIT_PAGER: "cat", PAGER: "cat" };
        const result = spawnSync("script", ["-qefc", words, "/dev/null"], {
          cwd: repository.folder,
          env,
          encoding: "utf8",
        });
        expect([command, result.status]).toEqual([command, 0]);
        const shown = result.stdout.replaceAll("\r\n", "\n");
        expect([command, forbidden.exec(shown)?.[0]]).toEqual([command, undefined]);
      }
    },
  );
});

test("an address of a machine's repository that is none is refused by name, whatever git passes on", () => {
  const addresses = [
    "../../etc/x",
    "-oProxyCommand=touch/x",
    "$(touch pwned)/x",
    "a\nfetch/x",
    "/x",
    "a/",
    "",
  ];
  for (const address of addresses) {
    const { code, stdout, stderr } = repository.keyframe(["remote-helper", "origin", address], {
      stdin: "capabilities\nconnect git-upload-pack\n",
    });
    expect([code, stdout, stderr]).toEqual([
      2,
      "",
      expect.stringContaining("does not name a repository in a sandbox"),
    ]);
  }
  // one that could be: no machine is made or looked for outside of the list, and no other service is started
  for (const address of ["sb-000000000000/../../x", "work/root/x"]) {
    const { code, stderr } = repository.keyframe(["remote-helper", "origin", address], {
      stdin: "connect git-upload-pack\n",
    });
    expect([code, stderr]).toEqual([3, expect.stringContaining("there is no sandbox")]);
    const other = repository.keyframe(["remote-helper", "origin", address], { stdin: "connect sh\n" });
    expect([other.code, other.stderr]).toEqual([4, expect.stringContaining('has no "connect sh"')]);
  }
  expect(readdirSync(repository.folder)).toEqual([".git"]);
});
