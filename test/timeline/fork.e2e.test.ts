// Covers src/timeline/**, src/cli/timeline/**, src/cli/fork/**: moments, marks, forks into worktrees and their removal, through the built program.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let session: AgentSession;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("tracked", "person\n");
  repository.write(".gitignore", ".env\nnode_modules/\nbuild/\n");
  repository.commit("start");
  session = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-000000000001");
});
afterEach(() => repository.remove());

interface MomentJson {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly changedFiles: number | null;
  readonly parent?: string;
}

function json<T>(...args: string[]): T {
  const result = repository.keyframe([...args, "--json"]);
  expect([result.code, result.stderr]).toEqual([0, ""]);
  return JSON.parse(result.stdout) as T;
}
const moments = (...args: string[]) => json<MomentJson[]>("timeline", ...args);
const momentOf = (title: string) => moments().find((moment) => moment.title === title)?.id ?? "none";

async function turn(prompt: string, work: () => Promise<void> | void): Promise<void> {
  await session.prompt(prompt);
  await work();
  session.say(`did ${prompt}`);
  await session.stop();
}

function snapshotOfCheckout() {
  return {
    head: repository.git("rev-parse", "HEAD"),
    branch: repository.git("symbolic-ref", "HEAD"),
    index: repository.git("ls-files", "-s"),
    status: repository.git("status", "--porcelain"),
    config: readFileSync(join(repository.folder, ".git/config"), "utf8"),
  };
}

test("a timeline shows turns, marks and commits, newest first, with what each changed", async () => {
  await turn("make it", () => session.write("made/one", "agent\n"));
  repository.keyframe(["mark", "before the migration"]);
  repository.commit("second");
  await turn("go on", () => session.write("tracked", "agent\n"));

  const listed = moments();
  expect(listed.map(({ kind, title, changedFiles }) => [kind, title, changedFiles])).toEqual([
    ["turn", "go on", 1],
    ["mark", "before the migration", 1],
    ["turn", "make it", 1],
    ["turn", "before the first prompt", 0],
    ["commit", "second", 1],
    ["commit", "start", 2],
  ]);
  expect(moments("--session", "8b9f").map(({ kind }) => kind)).toEqual(["turn", "mark", "turn", "turn"]);
  expect(moments("--limit", "2")).toHaveLength(2);
  const branch = (name: string, message: string) =>
    repository.git(
      "update-ref",
      `refs/heads/${name}`,
      repository.git("commit-tree", "HEAD^{tree}", "-m", message),
    );
  branch("other", "on another branch");
  branch("entire/sessions", "a record");
  const commits = moments("--all").filter(({ kind }) => kind === "commit");
  expect(commits.map(({ title }) => title).sort()).toEqual(["on another branch", "second", "start"]);
});

test("one moment says what is pending, and what a restore would overwrite", async () => {
  await turn("make it", () => session.write("made", "agent\nagent too\n"));
  const id = momentOf("make it");
  repository.write("made", "person\n");
  const shown = json<{ owners: object[]; changes: object[]; restore: { files: object[] } }>("timeline", id);
  expect(shown.owners).toEqual([
    { label: "claude 8b9f5a4e-0000-4000-8000-000000000001", lines: 2, files: 1 },
  ]);
  expect(shown.changes).toEqual([{ status: "A", path: "made" }]);
  expect(shown.restore.files).toEqual([{ path: "made", action: "write" }]);
  const text = repository.keyframe(["timeline", id]).stdout;
  expect(text).toContain("2 lines in 1 file of claude");
  expect(text).toContain(`keyframe fork ${id}`);
});

test("one moment tells the tests that its agent had seen by then, and which of its parts are missing", async () => {
  const result = (content: string) => ({
    type: "user",
    message: { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content }] },
  });
  await turn("try it", () => session.append(result("==== 1 failed, 3 passed in 0.12s ====\n")));
  await turn("mend it", () => session.append(result("==== 4 passed in 0.12s ====\n")));
  expect(json<{ tests: object }>("timeline", momentOf("try it")).tests).toEqual({
    passed: 3,
    failed: 1,
    skipped: 0,
  });
  const shown = (title: string) => repository.keyframe(["timeline", momentOf(title)]).stdout;
  expect(shown("mend it")).toMatch(/tests +4 passed, 0 failed when last seen/);
  expect(shown("mend it")).toMatch(/pending +no lines\n.*machine +none\n/s);
  expect(shown("start")).toMatch(/session +none\n *tests +none seen\n/);
});

test("a fork holds the files, the pending owners and a conversation of its own; the checkout is untouched", async () => {
  await turn("make it", async () => {
    await session.write("tracked", "person\nagent\n");
    await session.write("new file", "agent\n");
  });
  const id = momentOf("make it");
  // what comes after the moment is not part of the fork
  await turn("and more", () => session.write("new file", "agent\nlater\n"));
  const before = snapshotOfCheckout();

  const [fork] = json<
    {
      name: string;
      path: string;
      branch: string;
      owned: string[];
      sessions: { session: string; parent: string; transcriptPath: string }[];
    }[]
  >("fork", id, "--name", "retry");
  if (fork === undefined) throw new Error("no fork was made");
  expect(snapshotOfCheckout()).toEqual(before);
  expect(readFileSync(join(fork.path, "new file"), "utf8")).toBe("agent\n");
  expect(repository.git("-C", fork.path, "status", "--porcelain")).toBe(' M tracked\n?? "new file"');
  expect(repository.git("-C", fork.path, "symbolic-ref", "HEAD")).toBe("refs/heads/keyframe/retry");
  expect(fork.owned).toEqual(["new file", "tracked"]);

  const copy = fork.sessions[0];
  expect(copy?.parent).toBe(session.id);
  const lines = readFileSync(copy?.transcriptPath ?? "", "utf8");
  expect(lines).toContain("did make it");
  expect(lines).not.toContain("and more");
  expect(readFileSync(session.transcriptPath, "utf8")).toContain("and more");

  // the agent's lines are still the session's when the fork commits them
  repository.git("-C", fork.path, "add", "-A");
  repository.git("-C", fork.path, "commit", "-qm", "in the fork");
  const blame = repository.keyframe(["blame", "tracked"], { cwd: fork.path });
  const owners = blame.stdout.split("\n").filter(Boolean);
  expect(owners[0]).not.toContain("claude");
  expect(owners[1]).toContain("claude");
});

test("several forks of one moment are told apart", async () => {
  await turn("make it", () => session.write("made", "agent\n"));
  const forks = json<{ path: string; sessions: { session: string }[] }[]>(
    "fork",
    momentOf("make it"),
    "-n",
    "3",
  );
  expect(new Set(forks.map(({ path }) => path)).size).toBe(3);
  expect(new Set(forks.map(({ sessions }) => sessions[0]?.session)).size).toBe(3);
  expect(json<object[]>("fork", "--list")).toHaveLength(3);
});

test("a mark is found by its title, and is rewound to and forked like a turn", async () => {
  repository.write("loose", "person\n");
  expect(repository.keyframe(["mark", "clean state"]).code).toBe(0);
  repository.write("loose", "changed\n");
  const [fork] = json<{ path: string }[]>("fork", "clean state", "--name", "m");
  expect(readFileSync(join(fork?.path ?? "", "loose"), "utf8")).toBe("person\n");
  const id = momentOf("clean state");
  expect(repository.keyframe(["rewind", "--to", id]).code).toBe(0);
  expect(readFileSync(join(repository.folder, "loose"), "utf8")).toBe("person\n");
  expect(repository.keyframe(["rewind", "--undo"]).code).toBe(0);
  expect(readFileSync(join(repository.folder, "loose"), "utf8")).toBe("changed\n");
});

test("ignored files come along where .worktreeinclude names them, and no others", () => {
  repository.write(".worktreeinclude", ".env\nnode_modules/\ntracked-not-ignored\n");
  repository.write(".env", "KEY=1\n");
  chmodSync(join(repository.folder, ".env"), 0o600);
  repository.write("node_modules/a/index.js", "a\n");
  repository.write("build/out", "b\n");
  const [fork] = json<{ path: string; copied: string[] }[]>("fork", "HEAD");
  const at = (path: string) => join(fork?.path ?? "", path);
  expect(fork?.copied.sort()).toEqual([".env", "node_modules"]);
  expect(readFileSync(at("node_modules/a/index.js"), "utf8")).toBe("a\n");
  expect(statSync(at(".env")).mode & 0o777).toBe(0o600);
  expect(existsSync(at("build"))).toBe(false);
});

test(".worktreeinclude of a hostile repository names nothing outside, and nothing is copied through a link", () => {
  const outside = join(repository.folder, "..", "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "secret\n");
  repository.write(".gitignore", "conf/\npipe\nlinked\n");
  repository.write(".worktreeinclude", `../outside/\n${outside}/\n/../*\nconf/\npipe\nlinked\n`);
  symlinkSync(outside, join(repository.folder, "conf"));
  repository.git("add", "-f", "conf");
  const withLink = repository.commit("conf leads elsewhere");
  repository.git("rm", "-q", "--cached", "conf");
  rmSync(join(repository.folder, "conf"));
  repository.write("conf/made", "here\n");
  repository.commit("conf is ignored");
  spawnSync("mkfifo", [join(repository.folder, "pipe")]);
  symlinkSync(join(outside, "secret"), join(repository.folder, "linked"));
  const [fork] = json<{ path: string; copied: string[] }[]>("fork", withLink);
  expect(fork?.copied).toEqual(["linked"]);
  expect(readlinkSync(join(fork?.path ?? "", "linked"))).toBe(join(outside, "secret"));
  expect(readdirSync(outside)).toEqual(["secret"]);
  rmSync(join(repository.folder, ".worktreeinclude"));
  symlinkSync(join(outside, "secret"), join(repository.folder, ".worktreeinclude"));
  const [other] = json<{ copied: string[] }[]>("fork", "HEAD");
  expect(other?.copied).toEqual([]);
});

test("removing a fork keeps work that exists nowhere else, and leaves nothing behind otherwise", async () => {
  await turn("make it", () => session.write("made", "agent\n"));
  const id = momentOf("make it");
  const refs = repository.git("for-each-ref");
  const [fork] = json<{ path: string; sessions: { transcriptPath: string }[] }[]>("fork", id, "--name", "x");
  const path = fork?.path ?? "";
  writeFileSync(join(path, "work"), "new\n");
  const refused = repository.keyframe(["fork", "--remove", "x"]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("uncommitted changes");
  expect(existsSync(path)).toBe(true);
  rmSync(join(path, "work"));
  expect(repository.keyframe(["fork", "--remove", "x"]).code).toBe(0);
  expect(existsSync(path)).toBe(false);
  expect(existsSync(fork?.sessions[0]?.transcriptPath ?? "")).toBe(false);
  expect(repository.git("for-each-ref")).toBe(refs);
  expect(repository.git("worktree", "list").split("\n")).toHaveLength(1);
  expect(json<object[]>("fork", "--list")).toEqual([]);
});

test("what cannot be forked is refused by name, with nothing made", () => {
  mkdirSync(join(repository.folder, "..", "there"));
  const refused = (...args: string[]) => {
    const result = repository.keyframe(["fork", ...args]);
    expect(result.code).not.toBe(0);
    return result.stderr;
  };
  expect(refused("nothing-like-it")).toContain('no moment named "nothing-like-it"');
  expect(refused("HEAD", "--name", "../x")).toContain("not a name for a fork");
  expect(refused("HEAD", "--path", "../there")).toContain("exists already");
  expect(refused()).toContain("name the moment to fork");
  expect(repository.git("worktree", "list").split("\n")).toHaveLength(1);
  expect(repository.git("branch", "--list", "keyframe/*")).toBe("");
});

test("a fork that is killed at any step touches nothing here, and is removed and made again", async () => {
  await turn("make it", () => session.write("made", "agent\n"));
  const id = momentOf("make it");
  const before = snapshotOfCheckout();
  for (const point of ["after-record", "after-worktree", "after-files", "after-owners"]) {
    const killed = spawnSync(process.execPath, [keyframeProgram, "fork", id, "--name", "k"], {
      cwd: repository.folder,
      env: { ...repository.env, KEYFRAME_FAULT: `fork:${point}` },
    });
    expect([point, killed.signal]).toEqual([point, "SIGKILL"]);
    expect(snapshotOfCheckout()).toEqual(before);
    expect(repository.keyframe(["fork", "--list"]).stdout).toContain("cut off");
    expect(repository.keyframe(["fork", id, "--name", "k"]).stderr).toContain("exists already");
    expect(repository.keyframe(["fork", "--remove", "k"]).code).toBe(0);
    expect(repository.git("worktree", "list").split("\n")).toHaveLength(1);
    expect(repository.git("branch", "--list", "keyframe/*")).toBe("");
  }
  expect(json<object[]>("fork", id, "--name", "k")).toHaveLength(1);
});
