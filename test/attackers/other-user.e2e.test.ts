import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { keyframeProgram } from "../support/test-repository.ts";

// Another user of the machine attacks. Needs two users besides root; numbers do, no account has to exist.
const attacker = { uid: 64001, gid: 64001 };
const victim = { uid: 64002, gid: 64002 };
const root = { uid: 0, gid: 0 };
type User = typeof root;

const isRoot = process.getuid?.() === 0;
const title = isRoot ? "another user" : "another user (skipped: only root can act as two users)";

/** The built program where any user can read it, whatever the checkout's own mode. */
let program = "";
let programFolder = "";
beforeAll(() => {
  if (!isRoot) return;
  programFolder = mkdtempSync(join(tmpdir(), "kf-program-"));
  cpSync(dirname(keyframeProgram), programFolder, { recursive: true });
  chmodSync(programFolder, 0o755);
  program = join(programFolder, "keyframe.cjs");
});
afterAll(() => programFolder && rmSync(programFolder, { recursive: true }));

let shared = "";
const at = (path: string) => join(shared, path);

function environmentOf(user: User, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: at(`home-${user.uid}`),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "A",
    GIT_AUTHOR_EMAIL: "a@example.com",
    GIT_COMMITTER_NAME: "A",
    GIT_COMMITTER_EMAIL: "a@example.com",
    ...more,
  };
}

interface Call {
  readonly cwd: string;
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

function run(user: User, words: readonly string[], { cwd, stdin = "", env }: Call) {
  const [name = "", ...args] = words;
  const result = spawnSync(name, args, {
    ...user,
    cwd,
    env: environmentOf(user, env),
    input: stdin,
    encoding: "utf8",
  });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}
const keyframe = (user: User, args: readonly string[], call: Call) =>
  run(user, [process.execPath, program, ...args], call);
const git = (user: User, args: readonly string[], call: Call) => run(user, ["git", ...args], call);

function folderOf(user: User, path: string): string {
  mkdirSync(at(path), { recursive: true });
  chownSync(at(path), user.uid, user.gid);
  return at(path);
}

/** A repository whose configuration starts a program wherever git may be brought to run it. */
function trapAt(user: User, path: string): string {
  const folder = folderOf(user, path);
  const trap = at("trap.sh");
  writeFileSync(trap, `#!/bin/sh\nid -u >>${at("sprung")}\n`, { mode: 0o755 });
  const setUp: readonly (readonly string[])[] = [
    ["init", "-q", "-b", "main"],
    ["commit", "-q", "--allow-empty", "-m", "one"],
    ["config", "core.fsmonitor", trap],
    ["config", "core.sshCommand", trap],
    ["config", "gpg.program", trap],
    ["config", "diff.external", trap],
    ["config", "core.pager", trap],
    ["config", "core.hooksPath", dirname(trap)],
    ["config", "remote.origin.url", "ssh://nobody@localhost/x"],
    ["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"],
  ];
  for (const args of setUp) expect(git(user, args, { cwd: folder }).code).toBe(0);
  return folder;
}

/** Every path below, with its size and time of change: whether anything was written. */
function listing(folder: string): string {
  return execFileSync("find", [folder, "-printf", "%p %s %C@\n"], { encoding: "utf8" })
    .split("\n")
    .sort()
    .join("\n");
}

beforeEach(() => {
  if (!isRoot) return;
  shared = mkdtempSync(join(tmpdir(), "kf-shared-"));
  chmodSync(shared, 0o1777);
  for (const user of [attacker, victim, root]) folderOf(user, `home-${user.uid}`);
});
afterEach(() => shared && rmSync(shared, { recursive: true, force: true }));

const payload = (event: string, cwd: string, more: object = {}) =>
  JSON.stringify({
    session_id: "11111111-2222-3333-4444-555555555555",
    transcript_path: join(cwd, "t.jsonl"),
    cwd,
    hook_event_name: event,
    ...more,
  });

describe.skipIf(!isRoot)(`${title}: a repository above the user's folder`, () => {
  beforeEach(() => {
    chmodSync(shared, 0o777);
    trapAt(attacker, ".");
    chmodSync(shared, 0o1777);
    writeFileSync(join(folderOf(victim, "mine"), "private"), "my own\n", { mode: 0o600 });
    chownSync(at("mine/private"), victim.uid, victim.gid);
  });

  test.each([victim, root])("no command of user $uid runs, reads or writes anything", (user) => {
    const before = listing(at(".git"));
    const commands = [
      ["status"],
      ["stats"],
      ["fetch"],
      ["push"],
      ["list"],
      ["log"],
      ["show", "HEAD"],
      ["diff"],
      ["blame", "private"],
      ["explain", "HEAD"],
      ["search", "x"],
      ["settle"],
      ["checkpoint", "claude"],
      ["session", "list"],
      ["tokens"],
      ["clean"],
      ["doctor"],
      ["enable"],
      ["journal"],
    ];
    for (const args of commands) {
      const { code, stderr } = keyframe(user, args, { cwd: at("mine") });
      expect([args, code]).toEqual([args, 4]);
      expect(stderr).toContain("dubious ownership");
      expect(stderr).toContain("git config --global --add safe.directory");
    }
    expect(existsSync(at("sprung"))).toBe(false);
    expect(listing(at(".git"))).toBe(before);
  });

  test.each([victim, root])("no hook of user $uid runs, reads or writes anything, and none fails", (user) => {
    const before = listing(at(".git"));
    const edit = { tool_name: "Write", tool_use_id: "t1", tool_input: { file_path: at("mine/private") } };
    const shell = { tool_name: "Bash", tool_use_id: "t2", tool_input: { command: "true" } };
    const payloads = [
      payload("SessionStart", at("mine"), { source: "startup" }),
      payload("UserPromptSubmit", at("mine"), { prompt: "hi" }),
      payload("PreToolUse", at("mine"), edit),
      payload("PostToolUse", at("mine"), edit),
      payload("PreToolUse", at("mine"), shell),
      payload("PostToolUse", at("mine"), shell),
      payload("Stop", at("mine")),
      payload("SessionEnd", at("mine")),
    ];
    for (const stdin of payloads)
      for (const cwd of [at("mine"), "/"])
        expect(keyframe(user, ["hook", "claude"], { cwd, stdin })).toEqual({
          code: 0,
          stdout: "",
          stderr: "",
        });
    for (const name of ["post-commit", "pre-push", "prepare-commit-msg", "post-checkout", "post-merge"])
      expect(keyframe(user, ["hook", "git", name, "origin"], { cwd: at("mine") }).code).toBe(0);
    expect(existsSync(at("sprung"))).toBe(false);
    expect(listing(at(".git"))).toBe(before);
  });

  test("a path of theirs in a payload from the user's own repository is refused by name", () => {
    const own = folderOf(victim, "mine/own");
    git(victim, ["init", "-q"], { cwd: own });
    folderOf(attacker, "theirs");
    const before = listing(at(".git"));
    const edit = { tool_name: "Write", tool_use_id: "t1", tool_input: { file_path: at("theirs/file") } };
    keyframe(victim, ["hook", "claude"], { cwd: own, stdin: payload("PostToolUse", own, edit) });
    expect(keyframe(victim, ["status"], { cwd: own }).stdout).toContain("dubious ownership");
    expect(existsSync(at("sprung"))).toBe(false);
    expect(listing(at(".git"))).toBe(before);
  });

  test("a link of the user's that leads there is no way around", () => {
    execFileSync("ln", ["-s", shared, at("mine/link")]);
    const { code } = keyframe(victim, ["status"], { cwd: at("mine/link") });
    expect(code).toBe(4);
    keyframe(victim, ["hook", "claude"], { cwd: "/", stdin: payload("Stop", at("mine/link")) });
    expect(existsSync(at("sprung"))).toBe(false);
  });
});

describe.skipIf(!isRoot)(`${title}: what git decides is what we decide`, () => {
  /** Whether git uses the repository, and whether we do. */
  function bothAt(user: User, cwd: string, env: NodeJS.ProcessEnv = {}): readonly [boolean, boolean] {
    const { code } = git(user, ["rev-parse", "--git-dir"], { cwd, env });
    return [code === 0, keyframe(user, ["list"], { cwd, env }).code === 0];
  }
  const configure = (user: User, ...values: readonly string[]) => {
    for (const value of values)
      git(user, ["config", "--global", "--add", "safe.directory", value], { cwd: at(`home-${user.uid}`) });
  };

  test.each([
    ["nobody", []],
    ["the folder itself", ["repo"]],
    ["another folder", ["other"]],
    ["all", ["*"]],
    ["all, then none", ["*", ""]],
    ["none, then the folder", ["", "repo"]],
    ["all below", ["./*"]],
    ["a folder of the home", ["~/repo"]],
    ["with a slash behind", ["repo/"]],
  ] as const)("safe.directory allows %s", (_name, values) => {
    trapAt(attacker, "repo");
    configure(victim, ...values.map((value) => (/^[a-z.]/.test(value) ? join(shared, value) : value)));
    const [theirs, ours] = bothAt(victim, at("repo"));
    expect(ours).toBe(theirs);
  });

  test("safe.directory is read from an included file and from the environment, not from the repository", () => {
    trapAt(attacker, "repo");
    git(attacker, ["config", "safe.directory", "*"], { cwd: at("repo") });
    expect(bothAt(victim, at("repo"))).toEqual([false, false]);
    const fromEnvironment = {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: at("repo"),
    };
    expect(bothAt(victim, at("repo"), fromEnvironment)).toEqual([true, true]);
    writeFileSync(at("more"), `[safe]\n\tdirectory = ${at("repo")}\n`);
    git(victim, ["config", "--global", "include.path", at("more")], { cwd: shared });
    expect(bothAt(victim, at("repo"))).toEqual([true, true]);
  });

  test.each(["work tree", "git directory", "git file"])("the %s is another user's", (what) => {
    const folder = folderOf(victim, "repo");
    git(victim, ["init", "-q", "--separate-git-dir", at("elsewhere.git")], { cwd: folder });
    expect(bothAt(victim, folder)).toEqual([true, true]);
    const path = {
      "work tree": folder,
      "git directory": at("elsewhere.git"),
      "git file": join(folder, ".git"),
    }[what];
    expect(path).toBeDefined();
    chownSync(path ?? "", attacker.uid, attacker.gid);
    expect(bothAt(victim, folder)).toEqual([false, false]);
  });

  test("a linked worktree and a bare repository of another user", () => {
    trapAt(attacker, "repo");
    git(attacker, ["worktree", "add", "-q", at("linked")], { cwd: at("repo") });
    git(attacker, ["clone", "-q", "--bare", at("repo"), at("bare.git")], { cwd: shared });
    for (const place of ["linked", "bare.git", "repo/.git"])
      expect([place, ...bothAt(victim, at(place))]).toEqual([place, false, false]);
    for (const place of ["linked", "bare.git", "repo/.git"])
      expect([place, ...bothAt(attacker, at(place))]).toEqual([place, true, true]);
  });

  test.each([
    ["the caller's own, by sudo", victim, { SUDO_UID: String(victim.uid) }],
    ["another caller's, by sudo", victim, { SUDO_UID: String(attacker.uid) }],
    ["a user's, by root alone", victim, {}],
    ["root's, by sudo", root, { SUDO_UID: String(victim.uid) }],
    ["with a number that is none", victim, { SUDO_UID: "64002x" }],
  ] as const)("root in a repository that is %s", (_name, owner, env) => {
    const folder = folderOf(owner, "repo");
    git(owner, ["init", "-q"], { cwd: folder });
    const [theirs, ours] = bothAt(root, folder, env);
    expect(ours).toBe(theirs);
  });

  test("ceiling directories end the search", () => {
    const folder = folderOf(victim, "repo/a/b/c");
    for (const path of ["repo", "repo/a", "repo/a/b"]) chownSync(at(path), victim.uid, victim.gid);
    git(victim, ["init", "-q"], { cwd: at("repo") });
    execFileSync("ln", ["-s", at("repo"), at("link")]);
    const ceilings = [
      "",
      "/",
      shared,
      at("repo"),
      at("repo/a"),
      at("link/a"),
      `:${at("link/a")}`,
      "repo/a",
      folder,
    ];
    for (const ceiling of ceilings) {
      const env = { GIT_CEILING_DIRECTORIES: ceiling };
      const [theirs, ours] = bothAt(victim, folder, env);
      expect([ceiling, ours]).toEqual([ceiling, theirs]);
    }
  });
});

describe.skipIf(!isRoot)(`${title}: what is kept of the user's work`, () => {
  test("is unreadable to others, whatever the umask", () => {
    const folder = folderOf(victim, "repo");
    const home = at(`home-${victim.uid}`);
    const transcripts = folderOf(victim, `home-${victim.uid}/.claude/projects/x`);
    for (const path of [".claude", ".claude/projects"]) chownSync(join(home, path), victim.uid, victim.gid);
    git(victim, ["init", "-q"], { cwd: folder });
    const inTheOpen = (words: string, stdin = "") =>
      run(victim, ["sh", "-c", `umask 0; exec '${process.execPath}' '${program}' ${words}`], {
        cwd: folder,
        stdin,
      });
    expect(inTheOpen("enable").stderr).toBe("");
    writeFileSync(
      join(transcripts, "t.jsonl"),
      `${JSON.stringify({ type: "user", message: { role: "user", content: "hi" } })}\n`,
    );
    chownSync(join(transcripts, "t.jsonl"), victim.uid, victim.gid);
    const edit = { tool_name: "Write", tool_use_id: "t1", tool_input: { file_path: join(folder, "a") } };
    const more = { transcript_path: join(transcripts, "t.jsonl") };
    inTheOpen("hook claude", payload("UserPromptSubmit", folder, { ...more, prompt: "my question" }));
    inTheOpen("hook claude", payload("PreToolUse", folder, { ...more, ...edit }));
    writeFileSync(join(folder, "a"), "1\n");
    inTheOpen("hook claude", payload("PostToolUse", folder, { ...more, ...edit }));
    inTheOpen("hook claude", payload("Stop", folder, more));
    // a race, an image with its cache, and what is kept compiled or indexed
    run(
      victim,
      [
        "git",
        "-C",
        folder,
        "-c",
        "user.name=v",
        "-c",
        "user.email=v@x",
        "commit",
        "-qm",
        "x",
        "--allow-empty",
      ],
      { cwd: folder },
    );
    expect(inTheOpen("race start --prompt p --lane 'one=echo 1 > b' --json").stderr).toBe("");
    expect(inTheOpen(`image create '${join(transcripts, "t.jsonl")}' --name disk`).code).toBe(0);
    inTheOpen("mark here");
    inTheOpen("search question");
    inTheOpen("stats");
    const places = [join(folder, ".git/keyframe"), ...[".local", ".cache"].map((name) => join(home, name))];
    const kept = (user: User) =>
      run(user, ["find", ...places, "-type", "f", "-readable"], { cwd: "/" }).stdout;
    for (const part of ["capture", "races", "layers"]) expect(kept(victim)).toContain(part);
    expect(kept(attacker)).toBe("");
    const settings = run(victim, ["find", home, "-name", "settings*.json", "-perm", "/022"], { cwd: "/" });
    expect(settings.stdout).toBe("");
  });
});
