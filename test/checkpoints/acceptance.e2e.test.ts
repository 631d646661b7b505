// Covers src/workflows/*.
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
  expect(repository.keyframe(["enable"]).code).toBe(0);
});
afterEach(() => repository.remove());

const v1 = "entire/checkpoints/v1";
const at = (path: string) => join(repository.folder, path);
const trailer = (revision = "HEAD") =>
  repository
    .git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)", revision)
    .split("\n")[0] ?? "";
const commit = (...args: string[]) => {
  repository.gitBytes(["commit", "-q", ...args]);
  return trailer();
};
const show = (id: string, path: string) =>
  repository.git("show", `${v1}:${id.slice(0, 2)}/${id.slice(2)}/${path}`);
const json = (id: string, path: string) => JSON.parse(show(id, path));
const stateOf = (session: AgentSession) =>
  JSON.parse(readFileSync(at(`.git/entire-sessions/${session.id}.json`), "utf8"));
const problems = (): string[] =>
  JSON.parse(repository.keyframe(["status", "--json"]).stdout).problems.map(
    (problem: { what: string }) => problem.what,
  );
const turn = async (session: AgentSession, prompt: string, files: readonly string[]) => {
  await session.prompt(prompt);
  for (const file of files) await session.write(file, `${file}\n`);
  session.say(`did ${prompt}`);
  await session.stop();
};

test("work that is stashed away while another turn is committed is linked when it comes back", async () => {
  const session = startAgentSession(repository, "s-1");
  await turn(session, "make a, b and c", ["a", "b", "c"]);
  repository.git("add", "a");
  const first = commit("-m", "a");
  repository.git("stash", "-q", "-u");
  await turn(session, "make d", ["d"]);
  repository.git("add", "d");
  const second = commit("-m", "d");
  repository.git("stash", "pop", "-q");
  repository.git("add", "-A");
  const third = commit("-m", "the rest");
  expect(new Set([first, second, third]).size).toBe(3);
  expect([first, second, third].map((id) => json(id, "metadata.json").files_touched)).toEqual([
    ["a"],
    ["d"],
    ["b", "c"],
  ]);
  expect(show(second, "0/prompt.txt")).toBe("make a, b and c\n\n---\n\nmake d");
  expect(problems()).toEqual([]);
});

test("a commit in the middle of a turn survives a rebase under it, and the turn goes on to the next", async () => {
  const session = startAgentSession(repository, "s-1");
  repository.git("switch", "-qc", "topic");
  await session.prompt("make a");
  await session.write("a", "1\n");
  repository.git("add", "-A");
  const first = commit("-m", "a");
  repository.git("switch", "-q", "main");
  repository.write("other", "x\n");
  repository.commit("on main");
  repository.git("switch", "-q", "topic");
  repository.git("rebase", "-q", "main");
  expect(trailer()).toBe(first);
  await session.write("b", "2\n");
  session.say("both are made");
  await session.stop();
  repository.git("add", "-A");
  const second = commit("-m", "b");
  expect(second).not.toBe(first);
  expect(show(first, "0/full.jsonl")).toContain("both are made");
  expect(json(second, "metadata.json").files_touched).toEqual(["b"]);
  expect(stateOf(session)).toMatchObject({ phase: "idle", base_commit: repository.git("rev-parse", "HEAD") });
  expect(problems()).toEqual([]);
});

test("a checkpoint that cannot be stored leaves the commit alone, is told, and is stored by what comes next", async () => {
  const session = startAgentSession(repository, "s-1");
  await turn(session, "make a", ["a"]);
  const lock = at(`.git/refs/heads/${v1}.lock`);
  mkdirSync(join(lock, ".."), { recursive: true });
  writeFileSync(lock, "");
  const before = stateOf(session);
  repository.git("add", "-A");
  const id = commit("-m", "while another git holds the branch");
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  expect(repository.git("for-each-ref", "refs/heads/entire")).toBe("");
  expect(stateOf(session).files_touched).toEqual(before.files_touched);
  expect(problems()).toContainEqual(expect.stringContaining(`${id} is prepared and not stored yet`));
  rmSync(lock);
  expect(repository.keyframe(["settle"]).code).toBe(0);
  expect(json(id, "metadata.json").files_touched).toEqual(["a"]);
  expect(stateOf(session).files_touched).toBeUndefined();
});

test("on a detached HEAD no branch is named", async () => {
  repository.git("switch", "-q", "--detach");
  const session = startAgentSession(repository, "s-1");
  await turn(session, "make a", ["a"]);
  repository.git("add", "-A");
  const id = commit("-m", "a");
  expect(json(id, "metadata.json")).not.toHaveProperty("branch");
  expect(json(id, "0/metadata.json")).not.toHaveProperty("branch");
});

test("a turn without a change adds no step; every prompt moves the time of the last interaction on", async () => {
  const session = startAgentSession(repository, "s-1");
  await turn(session, "only talk", []);
  const first = stateOf(session);
  expect(first).toMatchObject({ checkpoint_count: 0, last_interaction_time: expect.stringMatching(/Z$/) });
  await turn(session, "make a", ["a"]);
  await turn(session, "talk again", []);
  const last = stateOf(session);
  expect(last.checkpoint_count).toBe(1);
  expect(Date.parse(last.last_interaction_time)).toBeGreaterThan(Date.parse(first.last_interaction_time));
});

test("the end of a turn changes transcript and prompts of its session, and keeps what others wrote", async () => {
  const one = startAgentSession(repository, "s-1");
  const two = startAgentSession(repository, "s-2");
  await turn(two, "make b", ["b"]);
  await one.prompt("make a");
  await one.write("a", "1\n");
  repository.git("add", "-A");
  const id = commit("-m", "both");
  // a summary, as another tool adds it later
  const folder = `${id.slice(0, 2)}/${id.slice(2)}`;
  const own = [0, 1].find((index) => json(id, `${index}/metadata.json`).session_id === "s-1") ?? -1;
  const summary = {
    intent: "kept",
    outcome: "",
    learnings: { repo: [], code: [], workflow: [] },
    friction: [],
    open_items: [],
  };
  const metadata = { ...json(id, `${own}/metadata.json`), summary, of_another_tool: 1 };
  const index = { GIT_INDEX_FILE: at(".git/test-index") };
  const git = (args: string[], input?: string) =>
    repository
      .gitBytes(args, { env: { ...repository.env, ...index }, ...(input === undefined ? {} : { input }) })
      .toString()
      .trim();
  git(["read-tree", v1]);
  const blob = git(["hash-object", "-w", "--stdin"], `${JSON.stringify(metadata, null, 2)}\n`);
  git(["update-index", "--cacheinfo", `100644,${blob},${folder}/${own}/metadata.json`]);
  const tree = git(["write-tree"]);
  repository.git("update-ref", `refs/heads/${v1}`, git(["commit-tree", tree, "-p", v1, "-m", "summary"]));
  const others = repository.git("rev-parse", `${v1}:${folder}/${1 - own}`);
  one.say("last words");
  await one.stop();
  expect(show(id, `${own}/full.jsonl`)).toContain("last words");
  expect(json(id, `${own}/metadata.json`)).toMatchObject({ summary, of_another_tool: 1, session_id: "s-1" });
  expect(repository.git("rev-parse", `${v1}:${folder}/${1 - own}`)).toBe(others);
});

test("a large transcript is stored in chunks that join to it, with its hash, and is resumed to the byte", async () => {
  const session = startAgentSession(repository, "s-1");
  await session.prompt("make a");
  const line = `${JSON.stringify({ type: "user", toolUseResult: "x".repeat(6000), message: { content: [] } })}\n`;
  appendFileSync(session.transcriptPath, line.repeat(2000));
  await session.write("a", "1\n");
  session.say("made");
  await session.stop();
  repository.git("add", "-A");
  const id = commit("-m", "a");
  const names = repository
    .git("ls-tree", "--name-only", `${v1}:${id.slice(0, 2)}/${id.slice(2)}/0`)
    .split("\n");
  const chunks = names.filter((name) => name.startsWith("full.jsonl"));
  expect(chunks.length).toBeGreaterThan(100);
  const whole = readFileSync(session.transcriptPath);
  expect(show(id, "0/content_hash.txt")).toBe(`sha256:${createHash("sha256").update(whole).digest("hex")}`);
  rmSync(session.transcriptPath);
  expect(repository.keyframe(["resume", id]).stdout).toContain("Session: s-1 (new)");
  expect(readFileSync(session.transcriptPath).equals(whole)).toBe(true);
});

test("resuming a branch says how many commits came after, and takes a checkpoint that is newer than the local copy", async () => {
  const session = startAgentSession(repository, "s-1");
  await turn(session, "make a", ["a"]);
  repository.git("add", "-A");
  commit("-m", "a");
  for (const name of ["x", "y"]) {
    repository.write(name, name);
    repository.commit(name);
  }
  const whole = readFileSync(session.transcriptPath, "utf8");
  // the local copy ends before the first answer that has a time
  writeFileSync(session.transcriptPath, `${whole.split("\n")[0]}\n`);
  const result = repository.keyframe(["resume", "main"]);
  expect(result.stderr).toMatch(/2 newer commits have none/);
  expect(result.stdout).toContain("Session: s-1 (checkpoint newer)");
  expect(readFileSync(session.transcriptPath, "utf8")).toBe(whole);
});

test("rewinding is refused where Keyframe is off, and nothing moves", async () => {
  const session = startAgentSession(repository, "s-1");
  await turn(session, "make a", ["a"]);
  const [point] = JSON.parse(repository.keyframe(["rewind", "--list", "--json"]).stdout);
  expect(repository.keyframe(["disable"]).code).toBe(0);
  repository.write("a", "by hand\n");
  const result = repository.keyframe(["rewind", "--to", point.id]);
  expect([result.code, result.stderr]).toEqual([4, expect.stringContaining("keyframe enable")]);
  expect(readFileSync(at("a"), "utf8")).toBe("by hand\n");
});
