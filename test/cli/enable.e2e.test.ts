// Covers src/cli/enable/**, src/cli/disable/**, src/cli/setup/**, src/cli/status/**.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
});
afterEach(() => repository.remove());

const at = (path: string) => join(repository.folder, path);
const read = (path: string) => readFileSync(at(path), "utf8");
const settings = ".claude/settings.local.json";

interface Report {
  readonly state: string;
  readonly applied: boolean;
  readonly hooks: readonly { readonly name: string; readonly standing: string }[];
  readonly agents: readonly { readonly path: string; readonly standing: string }[];
  readonly programs: readonly { readonly entry: string; readonly found: boolean }[];
  readonly changes: readonly { readonly path: string; readonly action: string }[];
  readonly pending: readonly unknown[];
  readonly problems: readonly { readonly where: string; readonly what: string }[];
}

function run(args: readonly string[], cwd?: string): Report {
  const result = repository.keyframe([...args, "--json"], cwd === undefined ? {} : { cwd });
  expect([result.stderr, result.code]).toEqual(["", 0]);
  return JSON.parse(result.stdout) as Report;
}

describe("keyframe enable", () => {
  test("turns everything on in a repository without a commit, and a second time changes nothing", () => {
    expect(run(["status"]).state).toBe("off");
    const dry = run(["enable", "--dry-run"]);
    expect([dry.applied, existsSync(at(settings)), existsSync(at(".git/keyframe"))]).toEqual([
      false,
      false,
      false,
    ]);
    const first = run(["enable"]);
    expect(first.changes).toEqual(dry.changes);
    expect(first.changes.map(({ action }) => action)).toEqual([...Array(8).fill("create"), "change"]);
    expect(run(["enable"]).changes).toEqual([]);
    expect(run(["status"])).toMatchObject({
      state: "on",
      programs: [{ entry: keyframeProgram, found: true }],
      pending: [],
      problems: [],
    });
    expect(repository.git("status", "--short")).toBe("");
  });

  test("is one program by whichever of its names it is started", () => {
    const link = join(repository.folder, "../kf");
    symlinkSync(keyframeProgram, link);
    run(["enable"]);
    const result = spawnSync(process.execPath, [link, "enable", "--json"], {
      cwd: repository.folder,
      env: repository.env,
    });
    expect(JSON.parse(result.stdout.toString())).toMatchObject({ changes: [] });
  });

  test("works from a subfolder, and for all worktrees at once", () => {
    mkdirSync(at("deep/er"), { recursive: true });
    repository.commit("one");
    repository.git("worktree", "add", "-q", "../linked");
    run(["enable"], at("deep/er"));
    const linked = join(repository.folder, "../linked");
    expect(run(["status"], linked)).toMatchObject({ state: "on" });
    expect(run(["enable"], linked).changes).toEqual([]);
    expect(existsSync(join(linked, settings))).toBe(false);
  });

  test("also writes the personal settings of a linked worktree that has its own", () => {
    repository.commit("one");
    repository.git("worktree", "add", "-q", "../linked");
    const own = join(repository.folder, "../linked", settings);
    mkdirSync(join(own, ".."));
    writeFileSync(own, "{}\n");
    run(["enable"], join(repository.folder, "../linked"));
    expect(readFileSync(own, "utf8")).toBe(read(settings));
  });

  test("works in a submodule, whose hooks are its own", () => {
    repository.commit("one");
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", repository.folder, "sub");
    run(["enable"], at("sub"));
    expect(existsSync(at(".git/modules/sub/hooks/post-commit"))).toBe(true);
    expect(existsSync(at(`sub/${settings}`))).toBe(true);
    expect(existsSync(at(".git/hooks/post-commit"))).toBe(false);
  });

  test("with --shared writes committed settings that name no program of this machine", () => {
    run(["enable", "--shared"]);
    const shared = read(".claude/settings.json");
    expect(shared).toContain("command -v keyframe >/dev/null 2>&1 && keyframe hook claude");
    expect(shared).not.toContain(keyframeProgram);
    // equal commands: Claude Code runs them once
    expect(read(settings)).toBe(shared);
    expect(repository.git("status", "--short", "-uall")).toBe("?? .claude/settings.json");
  });

  test("refuses personal settings that are committed, and says what to do", () => {
    repository.write(settings, "{}\n");
    repository.commit("one");
    const result = repository.keyframe(["enable"]);
    expect(result.code).toBe(4);
    expect(result.stderr).toMatch(/is committed[\s\S]*--shared/);
    expect(existsSync(at(".git/hooks/post-commit"))).toBe(false);
  });

  test("refuses damaged settings and touches nothing", () => {
    repository.write(settings, '{"hooks": ');
    const result = repository.keyframe(["enable"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/settings\.local\.json: expected a value at line 1, column 11/);
    expect(existsSync(at(".git/hooks/post-commit"))).toBe(false);
  });

  test("refuses settings that are a symlink", () => {
    repository.write("elsewhere.json", "{}");
    mkdirSync(at(".claude"));
    symlinkSync("../elsewhere.json", at(settings));
    expect(repository.keyframe(["enable"])).toMatchObject({ code: 4 });
    expect(read("elsewhere.json")).toBe("{}");
  });

  test("outside of a repository, and in a bare one, says so", () => {
    expect(repository.keyframe(["enable"], { cwd: "/" })).toMatchObject({ code: 3 });
    repository.git("init", "-q", "--bare", "../bare.git");
    expect(repository.keyframe(["enable"], { cwd: join(repository.folder, "../bare.git") })).toMatchObject({
      code: 4,
    });
  });

  test("repairs what another tool overwrote or somebody deleted, and an older installation's entries", () => {
    run(["enable"]);
    writeFileSync(at(".git/hooks/post-commit"), "#!/bin/sh\n");
    rmSync(at(".git/hooks/post-merge"));
    writeFileSync(at(settings), read(settings).replaceAll(keyframeProgram, "/gone/dist/keyframe.cjs"));
    const broken = run(["status"]);
    expect(broken).toMatchObject({
      state: "partly",
      programs: [{ entry: "/gone/dist/keyframe.cjs", found: false }],
    });
    const off = broken.hooks.filter(({ standing }) => standing === "off").map(({ name }) => name);
    expect(off).toEqual(["post-commit", "post-merge"]);
    run(["enable"]);
    expect(run(["status"])).toMatchObject({ state: "on", programs: [{ entry: keyframeProgram }] });
    expect(read(settings)).not.toContain("/gone/");
  });
});

describe("keyframe disable", () => {
  test("stops recording at once and keeps everything in place; enable goes on", () => {
    run(["enable"]);
    const hook = read(".git/hooks/post-commit");
    run(["disable"]);
    expect(run(["status"]).state).toBe("disabled");
    repository.write("a", "1\n");
    const call = (event: string) =>
      JSON.stringify({
        session_id: "s",
        transcript_path: join(repository.env["HOME"] ?? "", ".claude/projects/t/s.jsonl"),
        cwd: repository.folder,
        hook_event_name: event,
        tool_name: "Write",
        tool_use_id: "t",
        tool_input: { file_path: "a" },
        tool_response: { type: "create", originalFile: null },
      });
    const edit = () => repository.keyframe(["hook", "claude"], { stdin: call("PostToolUse") });
    expect(edit().code).toBe(0);
    expect(run(["status"]).pending).toEqual([]);
    expect(read(".git/hooks/post-commit")).toBe(hook);
    run(["enable"]);
    edit();
    expect(run(["status"])).toMatchObject({
      state: "on",
      pending: [{ path: "a", owners: [{ kind: "agent", name: "claude", session: "s", lines: 1 }] }],
    });
  });

  test("--uninstall gives every file back byte for byte, also after an update and a second enable", () => {
    const original = '{"permissions":{"allow":["Bash(ls:*)"]},\n      "hooks":{ "Stop":[ {"hooks":[]} ] }}';
    repository.write(settings, original);
    chmodSync(at(settings), 0o600);
    repository.write(".git/hooks/post-commit", "#!/bin/bash\necho hi");
    chmodSync(at(".git/hooks/post-commit"), 0o775);
    const exclude = read(".git/info/exclude");
    run(["enable"]);
    writeFileSync(at(settings), read(settings).replaceAll("timeout", "timeout_")); // as an older version wrote it
    run(["enable"]);
    run(["enable", "--shared"]);
    run(["enable"]);
    const removed = run(["disable", "--uninstall"]).changes.map(({ path }) => path);
    expect(removed).toContain(at(settings));
    expect(read(".git/hooks/post-commit")).toBe("#!/bin/bash\necho hi");
    expect(read(".git/info/exclude")).toBe(exclude);
    expect(existsSync(at(".git/hooks/post-merge"))).toBe(false);
    expect(existsSync(at(".claude/settings.json"))).toBe(false);
    expect(JSON.parse(read(settings))).toEqual(JSON.parse(original));
    expect(run(["disable", "--uninstall"]).changes).toEqual([]);
  });

  test("--uninstall restores odd layouts exactly, also after a second enable that changed the entries", () => {
    for (const original of [
      "{}",
      '{"hooks":{}}',
      '{\n\t"hooks": { "Stop": [ ] } // none\n}',
      "\ufeff{ }\r\n",
      "\n",
    ]) {
      repository.write(settings, original);
      run(["enable"]);
      run(["enable", "--shared"]); // changes the entries that the first one wrote
      run(["disable", "--uninstall"]);
      expect(read(settings)).toBe(original);
    }
    rmSync(at(".claude"), { recursive: true });
    run(["enable"]);
    run(["disable", "--uninstall"]);
    expect(existsSync(at(".claude"))).toBe(false);
  });
});

describe("git hooks that another tool wrote over", () => {
  const prompt = () => {
    const payload = {
      session_id: "s-1",
      transcript_path: join(repository.env["HOME"] ?? "", ".claude/projects/t/none.jsonl"),
      cwd: repository.folder,
      hook_event_name: "UserPromptSubmit",
      prompt: "go",
    };
    const result = repository.keyframe(["hook", "claude"], { stdin: JSON.stringify(payload) });
    expect([result.code, result.stdout, result.stderr]).toEqual([0, "", ""]);
  };
  const standings = () => new Set(run(["status"]).hooks.map(({ standing }) => standing));
  const hook = ".git/hooks/post-commit";

  test("are put back at the start of the agent's next turn, the other tool's in them", () => {
    run(["enable"]);
    writeFileSync(at(hook), "#!/bin/sh\necho theirs\n", { mode: 0o755 });
    rmSync(at(".git/hooks/prepare-commit-msg"));
    chmodSync(at(".git/hooks/pre-push"), 0o644);
    expect(standings()).toContain("off");
    prompt();
    expect(standings()).toEqual(new Set(["on"]));
    expect(read(hook)).toContain("echo theirs");
    expect(run(["status"]).problems).toEqual([]);
    run(["disable", "--uninstall"]);
    expect(read(hook)).toBe("#!/bin/sh\necho theirs\n");
    prompt();
    expect(read(hook)).toBe("#!/bin/sh\necho theirs\n");
  });

  test("are looked at no further while nothing has touched them", () => {
    run(["enable"]);
    const before = statSync(at(".git/keyframe/hook-watch.json")).ino;
    prompt();
    expect(statSync(at(".git/keyframe/hook-watch.json")).ino).toBe(before);
    repository.git("config", "user.nickname", "x");
    prompt();
    expect(statSync(at(".git/keyframe/hook-watch.json")).ino).not.toBe(before);
  });

  test("follow a folder that a tool sets for them and git ignores, as husky does", () => {
    run(["enable"]);
    repository.write(".husky/_/.gitignore", "*\n");
    repository.write(".husky/_/post-commit", "#!/usr/bin/env sh\nexit 0\n");
    chmodSync(at(".husky/_/post-commit"), 0o755);
    repository.git("config", "core.hooksPath", ".husky/_");
    expect(standings()).toContain("off");
    prompt();
    expect(standings()).toEqual(new Set(["on"]));
    // the tool writes its hooks again with every installation of the project
    writeFileSync(at(".husky/_/post-commit"), "#!/usr/bin/env sh\nexit 0\n");
    prompt();
    expect(standings()).toEqual(new Set(["on"]));
  });

  test("are not made in a folder where git would show them as new, and status says so", () => {
    run(["enable"]);
    mkdirSync(at("my-hooks"));
    repository.git("config", "core.hooksPath", "my-hooks");
    prompt();
    expect(repository.git("status", "--porcelain")).toBe("");
    expect(run(["status"]).problems.map(({ what }) => what)).toContainEqual(
      expect.stringContaining("git now looks for its hooks"),
    );
  });

  test("stay as they are while Keyframe is off", () => {
    run(["enable"]);
    run(["disable"]);
    rmSync(at(hook));
    prompt();
    expect(existsSync(at(hook))).toBe(false);
  });
});
