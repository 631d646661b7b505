import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
});
afterEach(() => repository.remove());

const at = (path: string) => join(repository.folder, path);

interface Call {
  readonly cwd?: string;
  readonly command?: string;
  readonly env?: NodeJS.ProcessEnv;
}

let calls = 0;

function hook(event: string, tool: string, input: object, { cwd = repository.folder, env = {} }: Call): void {
  const payload = {
    session_id: "session-1",
    transcript_path: at("../transcript.jsonl"),
    cwd,
    hook_event_name: event,
    tool_name: tool,
    tool_use_id: `toolu_${calls}`,
    tool_input: input,
  };
  const result = spawnSync(process.execPath, [keyframeProgram, "hook", "claude"], {
    cwd,
    env: { ...repository.env, ...env },
    input: JSON.stringify(payload),
  });
  expect([result.status, result.stderr.toString()]).toEqual([0, ""]);
}

/** A shell call of the agent, in which `work` happens. */
function shell(work: () => void, call: Call = {}, end: Call = call): void {
  calls += 1;
  const input = { command: call.command ?? "make" };
  hook("PreToolUse", "Bash", input, call);
  work();
  hook("PostToolUse", "Bash", input, { ...call, ...end });
}

function edit(path: string, work: () => void, call: Call = {}): void {
  calls += 1;
  hook("PreToolUse", "Edit", { file_path: path }, call);
  work();
  hook("PostToolUse", "Edit", { file_path: path }, call);
}

/** One letter a line: A an agent, U unknown. */
function owners(path: string, { cwd = repository.folder, env = {} }: Call = {}): string {
  const run = (args: readonly string[]) =>
    spawnSync(process.execPath, [keyframeProgram, ...args], { cwd, env: { ...repository.env, ...env } });
  run(["settle"]);
  const { blame } = JSON.parse(run(["blame", "--json", path]).stdout.toString()) as {
    blame: { owner?: { kind: string } }[];
  };
  return blame.map(({ owner }) => (owner?.kind === "agent" ? "A" : "U")).join("");
}

function gitIn(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  const result = spawnSync("git", args, { cwd, env: { ...repository.env, ...env } });
  expect([args, result.stderr.toString(), result.status]).toEqual([args, expect.anything(), 0]);
}

describe("a shell call writes in another work tree than it runs in", () => {
  function addSubmodule(): string {
    const origin = at("../sub-origin");
    mkdirSync(origin);
    gitIn(origin, ["init", "-q", "-b", "main"]);
    writeFileSync(join(origin, "s"), "1\n");
    gitIn(origin, ["add", "s"]);
    gitIn(origin, ["commit", "-qm", "sub"]);
    repository.write("top", "1\n");
    repository.commit("one");
    gitIn(repository.folder, [
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "add",
      "-q",
      origin,
      "libs/sub",
    ]);
    repository.commit("two");
    return at("libs/sub");
  }

  test("a submodule, and from there the repository around it; the call may end elsewhere", () => {
    const sub = addSubmodule();
    shell(() => appendFileSync(join(sub, "s"), "2\n"));
    gitIn(sub, ["commit", "-qam", "sub"]);
    expect(owners("s", { cwd: sub })).toBe("UA");
    shell(() => appendFileSync(at("top"), "2\n"), { cwd: sub });
    shell(() => appendFileSync(at("top"), "3\n"), {}, { cwd: sub });
    appendFileSync(at("top"), "4\n");
    gitIn(repository.folder, ["commit", "-qam", "top"]);
    expect(owners("top")).toBe("UAAU");
  });

  test("a submodule of a linked worktree", () => {
    addSubmodule();
    const linked = at("../linked");
    repository.git("worktree", "add", "-q", linked);
    gitIn(linked, ["-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init"]);
    const sub = join(linked, "libs/sub");
    gitIn(sub, ["switch", "-qc", "work"]);
    shell(() => appendFileSync(join(sub, "s"), "2\n"), { cwd: linked });
    edit(join(sub, "s"), () => appendFileSync(join(sub, "s"), "3\n"), { cwd: linked });
    gitIn(sub, ["commit", "-qam", "sub"]);
    expect(owners("s", { cwd: sub })).toBe("UAA");
  });

  test("a linked worktree that the command names, and none that it does not", () => {
    repository.write("f", "1\n");
    repository.commit("one");
    for (const name of ["named", "other"]) repository.git("worktree", "add", "-q", at(`../${name}`));
    shell(
      () => {
        appendFileSync(at("../named/f"), "2\n");
        appendFileSync(at("../other/f"), "work of somebody else\n");
      },
      { command: "cd ../named && echo 2 >> f" },
    );
    for (const name of ["named", "other"]) gitIn(at(`../${name}`), ["commit", "-qam", name]);
    expect(owners("f", { cwd: at("../named") })).toBe("UA");
    expect(owners("f", { cwd: at("../other") })).toBe("UU");
  });
});

describe("a dotfiles repository, which GIT_DIR and GIT_WORK_TREE name", () => {
  test("edits, shell calls, commits and blame work in it, and a repository further down stays its own", () => {
    const home = at("../home");
    const dotfiles = join(home, ".dotfiles");
    const env = { GIT_DIR: dotfiles, GIT_WORK_TREE: home };
    gitIn(home, ["init", "-q", "--bare", "-b", "main", dotfiles]);
    gitIn(home, ["config", "status.showUntrackedFiles", "no"], env);
    const call = { cwd: home, env };
    writeFileSync(join(home, ".profile"), "1\n");
    gitIn(home, ["add", ".profile"], env);
    gitIn(home, ["commit", "-qm", "one"], env);
    const enabled = spawnSync(process.execPath, [keyframeProgram, "enable"], {
      cwd: home,
      env: { ...repository.env, ...env },
    });
    expect([enabled.stderr.toString(), enabled.status]).toEqual(["", 0]);
    edit(join(home, ".profile"), () => appendFileSync(join(home, ".profile"), "2\n"), call);
    shell(() => appendFileSync(join(home, ".profile"), "3\n"), call);
    const project = join(home, "project");
    mkdirSync(project);
    gitIn(home, ["init", "-q", project]);
    edit(join(project, "f"), () => writeFileSync(join(project, "f"), "1\n"), { cwd: project, env });
    // git's own hook settles: it names the repository in the same variables
    gitIn(home, ["commit", "-qam", "two"], env);
    const note = spawnSync("git", ["notes", "--ref=ai", "show"], {
      cwd: home,
      env: { ...repository.env, ...env },
    });
    expect(note.stdout.toString()).toMatch(/^\.profile\n {2}s_/);
    expect(owners(".profile", call)).toBe("UAA");
    gitIn(project, ["add", "f"]);
    gitIn(project, ["commit", "-qm", "one"]);
    expect(owners("f", { cwd: project })).toBe("A");
  });
});

/** Git can store refs in tables from 2.45 on: `PATH=<directory of scripts/unpack-newer-git.sh>/bin:$PATH` for an older one. */
const knowsReftable = /2\.(?:4[5-9]|[5-9]\d)/.test(
  spawnSync("git", ["version"], { encoding: "utf8" }).stdout,
);

describe.each([
  ["SHA-256", ["--object-format=sha256"], true],
  ["refs in tables (needs git 2.45)", ["--ref-format=reftable"], knowsReftable],
])("in a repository with %s", (_name, options, isSupported) => {
  test.skipIf(!isSupported)("edits, shell calls and a stash are credited and settled by git's hook", () => {
    const folder = at("../other");
    gitIn(dirname(folder), ["init", "-q", "-b", "main", ...options, folder]);
    writeFileSync(join(folder, "f"), "1\n");
    gitIn(folder, ["add", "f"]);
    gitIn(folder, ["commit", "-qm", "one"]);
    spawnSync(process.execPath, [keyframeProgram, "enable"], { cwd: folder, env: repository.env });
    edit(join(folder, "f"), () => appendFileSync(join(folder, "f"), "2\n"), { cwd: folder });
    shell(() => appendFileSync(join(folder, "f"), "3\n"), { cwd: folder });
    gitIn(folder, ["commit", "-qam", "two"]);
    expect(owners("f", { cwd: folder })).toBe("UAA");
    edit(join(folder, "f"), () => appendFileSync(join(folder, "f"), "4\n"), { cwd: folder });
    gitIn(folder, ["stash", "-q"]);
    expect(owners("f", { cwd: folder })).toBe("UAA");
    for (const subject of ["three", "four"]) {
      writeFileSync(join(folder, "g"), subject);
      gitIn(folder, ["add", "g"]);
      gitIn(folder, ["commit", "-qm", subject]);
    }
    const beside = `${folder}-beside`;
    gitIn(folder, ["worktree", "add", "-q", beside, "-b", "beside"]);
    gitIn(beside, ["stash", "pop", "-q"]);
    gitIn(beside, ["commit", "-qam", "five"]);
    expect(owners("f", { cwd: beside })).toBe("UAAA");
  });
});
