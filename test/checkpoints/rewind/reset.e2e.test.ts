import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../../support/test-repository.ts";

let repository: TestRepository;
let session: AgentSession;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("tracked", "v0\n");
  repository.commit("start");
  repository.keyframe(["enable"]);
  session = startAgentSession(repository, "r-1");
});
afterEach(() => repository.remove());

const read = (path: string) => readFileSync(join(repository.folder, path), "utf8");
const git = (...args: string[]) => repository.git(...args).trim();
const points = (): { id: string; kind: string; turn?: number }[] =>
  JSON.parse(repository.keyframe(["rewind", "--list", "--json"]).stdout);
const pointOf = (turn: number) => points().find((point) => point.turn === turn)?.id ?? "none";
const keyframe = (...args: string[]) => repository.keyframe(args);
const subjects = () => git("log", "--format=%s").split("\n");
/** Everything that a reset may change. */
const places = () => ({
  head: git("symbolic-ref", "HEAD"),
  main: git("rev-parse", "main"),
  index: git("ls-files", "-s"),
  status: git("status", "--porcelain"),
  transcript: readFileSync(session.transcriptPath, "utf8"),
});
function rewind(...args: string[]) {
  const result = repository.keyframe(["rewind", "--json", ...args]);
  expect([result.code, result.stderr]).toEqual([0, ""]);
  return JSON.parse(result.stdout);
}
async function turn(path: string, content: string): Promise<void> {
  await session.prompt(`write ${path}`);
  await session.write(path, content);
  session.say(`wrote ${path}`);
  await session.stop();
}
async function twoCommits(): Promise<void> {
  await turn("a", "first of a\n");
  git("add", "a");
  git("commit", "-qm", "one");
  await turn("b", "first of b\n");
  git("add", "b");
  git("commit", "-qm", "two");
}

test("branch, index and files are what they were at the end of a turn, and undo brings all of it back", async () => {
  await twoCommits();
  await turn("a", "second of a\n");
  repository.write("staged", "only staged\n");
  git("add", "staged");
  repository.write("staged", "and changed since\n");
  const before = places();
  const plan = rewind("--to", pointOf(1), "--reset");
  expect(plan.head).toMatchObject({
    ref: "refs/heads/main",
    from: before.main,
    to: git("rev-parse", "main"),
    leaves: [{ subject: "two", pushed: false }, { subject: "one" }],
    joins: 0,
  });
  expect(subjects()).toEqual(["start"]);
  expect([read("a"), existsSync(join(repository.folder, "b"))]).toEqual(["first of a\n", false]);
  expect(git("status", "--porcelain")).toBe("?? a");
  expect(git("reflog", "-1", "--format=%gs")).toContain("reset: moving to");
  expect(git("rev-parse", "ORIG_HEAD")).toBe(before.main);
  const after = places();
  rewind("--undo");
  expect([places(), read("staged")]).toEqual([before, "and changed since\n"]);
  rewind("--undo");
  expect(places()).toEqual(after);
  rewind("--undo");
  expect([places(), read("staged")]).toEqual([before, "and changed since\n"]);
});

test("what is committed again after a reset has its owner and its conversation", async () => {
  await twoCommits();
  rewind("--to", pointOf(2), "--reset");
  expect(subjects()).toEqual(["one", "start"]);
  git("add", "b");
  git("commit", "-qm", "two again");
  expect(keyframe("blame", "b").stdout).toContain("claude/test-1");
  expect(keyframe("explain", "b:1").stdout).toContain("write b");
});

test("a commit is gone back to with its branch; untracked files stay", async () => {
  await twoCommits();
  repository.write("mine", "untracked\n");
  const dry = keyframe("rewind", "--to", "HEAD~1", "--reset", "--dry-run");
  expect(dry.stdout).toMatch(/branch main {2}[0-9a-f]{12} -> [0-9a-f]{12}\n/);
  expect(dry.stdout).toMatch(/leaves +[0-9a-f]{12} +two/);
  expect(dry.stderr).not.toContain("--force");
  expect(subjects()).toHaveLength(3);
  const done = keyframe("rewind", "--to", "HEAD~1", "--reset");
  expect([done.code, done.stdout]).toEqual([0, expect.stringContaining("keyframe rewind --undo")]);
  expect([subjects(), read("mine"), git("status", "--porcelain")]).toEqual([
    ["one", "start"],
    "untracked\n",
    "?? mine",
  ]);
});

test("commits that a remote holds leave the branch only with --force", async () => {
  await twoCommits();
  git("init", "-q", "--bare", ".git/other.git");
  git("remote", "add", "origin", join(repository.folder, ".git/other.git"));
  git("push", "-q", "origin", "HEAD~1:refs/heads/main");
  const before = places();
  const to = pointOf(1);
  const refused = keyframe("rewind", "--to", to, "--reset");
  expect([refused.code, refused.stderr]).toEqual([
    4,
    expect.stringContaining("a remote holds 1 of the 2 commits that would leave branch main"),
  ]);
  expect(places()).toEqual(before);
  const dry = keyframe("rewind", "--to", to, "--reset", "--dry-run");
  expect([dry.code, dry.stderr]).toEqual([0, expect.stringContaining("needs --force")]);
  // what nobody else has goes without it
  rewind("--to", "HEAD~1", "--reset", "--files");
  rewind("--undo");
  rewind("--to", to, "--reset", "--force");
  expect(subjects()).toEqual(["start"]);
  rewind("--undo");
  expect(places()).toEqual(before);
});

test("where HEAD went on since, a reset is taken back with --force only", async () => {
  await twoCommits();
  const before = places();
  rewind("--to", "HEAD~2", "--reset");
  repository.write("new", "work\n");
  repository.commit("new work");
  const made = git("rev-parse", "HEAD");
  const refused = keyframe("rewind", "--undo");
  expect([refused.code, refused.stderr]).toEqual([
    4,
    expect.stringContaining("branch main has moved since the rewind"),
  ]);
  git("switch", "-qc", "elsewhere");
  const other = keyframe("rewind", "--undo", "--force");
  expect([other.code, other.stderr]).toEqual([4, expect.stringContaining("git switch main")]);
  git("switch", "-q", "main");
  const plan = rewind("--undo", "--force");
  expect(plan.head.leaves).toEqual([{ commit: made, subject: "new work", pushed: false }]);
  expect(places()).toEqual(before);
  rewind("--undo");
  expect([subjects(), read("new")]).toEqual([["new work", "start"], "work\n"]);
});

test("a reset is refused while git waits for the user, on another branch, and where no commit was", async () => {
  await turn("a", "1\n");
  const to = pointOf(1);
  git("switch", "-qc", "topic");
  const elsewhere = keyframe("rewind", "--to", to, "--reset");
  expect([elsewhere.code, elsewhere.stderr]).toEqual([
    4,
    expect.stringContaining("a moment of branch main, not of branch topic"),
  ]);
  repository.write("tracked", "theirs\n");
  repository.commit("theirs");
  git("switch", "-q", "main");
  repository.write("tracked", "ours\n");
  repository.commit("ours");
  expect(() => git("merge", "-q", "topic")).toThrow();
  const merging = keyframe("rewind", "--to", to, "--reset");
  expect([merging.code, merging.stderr]).toEqual([4, expect.stringContaining("a merge is under way")]);
  git("merge", "--abort");
  git("checkout", "-q", "--orphan", "fresh");
  const unborn = keyframe("rewind", "--to", "main", "--reset");
  expect([unborn.code, unborn.stderr]).toEqual([4, expect.stringContaining("no commit to go back from")]);
});

test("a detached HEAD moves alone", async () => {
  await twoCommits();
  git("switch", "-q", "--detach");
  const main = git("rev-parse", "main");
  const plan = rewind("--to", "HEAD~1", "--reset");
  expect([plan.head.ref, git("rev-parse", "main"), git("rev-parse", "HEAD")]).toEqual([
    null,
    main,
    git("rev-parse", "main~1"),
  ]);
  rewind("--undo");
  expect(git("rev-parse", "HEAD")).toBe(main);
});

test.each([
  ["--reset"],
  ["--reset", "--list"],
  ["--reset", "--undo"],
  ["--reset", "--conversation", "--to", "HEAD"],
  ["--force", "--to", "HEAD"],
])("%s %s %s %s is refused as usage", (...args) => {
  expect(keyframe("rewind", ...args).code).toBe(2);
});

test("what a reset took away survives a reflog that is gone, and clean forgets it with the rewind", async () => {
  await twoCommits();
  const before = places();
  rewind("--to", "HEAD~2", "--reset");
  git("reflog", "expire", "--expire=now", "--all");
  repository.git("update-ref", "-d", "ORIG_HEAD");
  git("gc", "-q", "--prune=now");
  rewind("--undo");
  expect(places()).toEqual(before);
});

test("commits that only an undo could bring back do not count as kept where a fork is removed", () => {
  const made = JSON.parse(keyframe("fork", "HEAD", "--name", "tried", "--json").stdout) as { path: string }[];
  const there = made[0]?.path ?? "";
  const inFork = (...args: string[]) => repository.gitBytes(args, { cwd: there });
  inFork("commit", "-q", "--allow-empty", "-m", "only here");
  for (const args of [["--to", "HEAD~1", "--reset"], ["--undo"]])
    expect(repository.keyframe(["rewind", ...args], { cwd: there }).code).toBe(0);
  const refused = keyframe("fork", "--remove", "tried");
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining("--force")]);
  expect(keyframe("fork", "--remove", "tried", "--force").code).toBe(0);
});
