import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

// Who wrote the files of a repository that the user cloned attacks.
let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
});
afterEach(() => repository.remove());

const at = (path: string) => join(repository.folder, path);
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
