import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let home: TestRepository;
let other: TestRepository;
let stranger: TestRepository;
beforeEach(() => {
  [home, other, stranger] = [createTestRepository(), createTestRepository(), createTestRepository()];
  for (const repository of [home, other, stranger]) {
    // one user, three repositories
    repository.env["HOME"] = home.env["HOME"];
    repository.write("README", "hello\n");
    repository.commit("start");
  }
  for (const repository of [home, other]) expect(repository.keyframe(["enable"]).code).toBe(0);
});
afterEach(() => {
  for (const repository of [home, other, stranger]) repository.remove();
});

const v1 = "entire/checkpoints/v1";
const book = () => join(home.env["HOME"] ?? "", ".local/state/keyframe/sessions");
const inside = (repository: TestRepository, path: string) =>
  relative(home.folder, join(repository.folder, path));

function commit(repository: TestRepository, message: string): string {
  repository.gitBytes(["add", "-A"]);
  repository.gitBytes(["commit", "-q", "-m", message]);
  return repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly,separator=)");
}

function stored(repository: TestRepository, id: string) {
  const show = (name: string) => repository.git("show", `${v1}:${id.slice(0, 2)}/${id.slice(2)}/${name}`);
  return {
    metadata: JSON.parse(show("0/metadata.json")),
    transcript: show("0/full.jsonl"),
    root: JSON.parse(show("metadata.json")),
  };
}

const said = (session: AgentSession) => readFileSync(session.transcriptPath, "utf8").trim();

test("a session that works in two repositories gets a checkpoint in each, and its tokens count once", async () => {
  const session = startAgentSession(home, "s-1", { through: "program" });
  await session.prompt("change both");
  await session.write("here.txt", "in the repository it was started in\n");
  await session.write(inside(other, "there.txt"), "in another one\n");
  session.say("Done.");
  await session.stop();
  const [here, there] = [commit(home, "here"), commit(other, "there")];
  for (const id of [here, there]) expect(id).toMatch(/^[0-9a-f]{12}$/);
  expect(stored(home, here)).toMatchObject({
    metadata: { session_id: "s-1", files_touched: ["here.txt"], token_usage: { api_call_count: 3 } },
    transcript: said(session),
  });
  const inOther = stored(other, there);
  expect(inOther).toMatchObject({
    metadata: { session_id: "s-1", agent: "Claude Code", files_touched: ["there.txt"] },
    transcript: said(session),
  });
  expect([inOther.metadata.token_usage, inOther.root.token_usage]).toEqual([undefined, undefined]);
  expect(other.keyframe(["blame", "there.txt"]).stdout).toContain("claude/");

  await session.prompt("now only the other");
  await session.write(inside(other, "there.txt"), "in another one\nand again\n");
  await session.stop();
  const again = stored(other, commit(other, "again"));
  expect(again.transcript).toBe(said(session));
  expect(other.keyframe(["explain", "HEAD", "--short"]).stdout).toContain("now only the other");
  await session.end();
  const state = JSON.parse(readFileSync(join(other.folder, ".git/entire-sessions/s-1.json"), "utf8"));
  expect(state).toMatchObject({ phase: "ended", started_in: home.folder });
  expect(readdirSync(book())).toEqual([]);
  for (const repository of [home, other])
    expect(JSON.parse(repository.keyframe(["status", "--json"]).stdout).problems).toEqual([]);
});

test("a repository that is not enabled, or was disabled, takes no part", async () => {
  expect(other.keyframe(["disable"]).code).toBe(0);
  const session = startAgentSession(home, "s-2", { through: "program" });
  await session.prompt("change all");
  await session.write(inside(stranger, "a.txt"), "a\n");
  await session.write(inside(other, "a.txt"), "a\n");
  await session.stop();
  for (const repository of [stranger, other])
    expect(existsSync(join(repository.folder, ".git/entire-sessions/s-2.json"))).toBe(false);
  expect(existsSync(join(stranger.folder, ".git/keyframe"))).toBe(false);
  expect(existsSync(book())).toBe(false);
});

test("what the machine notes of a session is not believed: a record of any shape stops no hook", async () => {
  const session = startAgentSession(home, "s-3", { through: "program" });
  await session.prompt("go");
  await session.write(inside(other, "a.txt"), "a\n");
  const [name = ""] = readdirSync(book());
  for (const text of ["", "{", '{"repositories": 3}', '{"repositories": ["x", "/nowhere", null]}']) {
    writeFileSync(join(book(), name), text);
    await session.stop();
    await session.prompt("on");
    await session.write(inside(other, "a.txt"), `${text}\n`);
  }
  await session.stop();
  expect(commit(other, "a")).toMatch(/^[0-9a-f]{12}$/);
});
