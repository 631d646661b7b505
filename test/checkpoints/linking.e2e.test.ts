import { readdirSync, readFileSync } from "node:fs";
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
const commit = (...args: string[]) => {
  repository.gitBytes(["commit", "-q", ...args]);
  return trailers();
};
const trailers = (revision = "HEAD") =>
  repository
    .git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)", revision)
    .split("\n")
    .filter((line) => line !== "");
const show = (path: string) => repository.git("show", `${v1}:${path}`);
const folderOf = (id: string | undefined) => `${id?.slice(0, 2)}/${id?.slice(2)}`;
const json = (path: string) => JSON.parse(show(path));
const stateOf = (session: AgentSession) =>
  JSON.parse(readFileSync(join(repository.folder, `.git/entire-sessions/${session.id}.json`), "utf8"));
const problems = () => JSON.parse(repository.keyframe(["status", "--json"]).stdout).problems;

test("a commit of a session's work names a checkpoint that holds the conversation", () => {
  const session = startAgentSession(repository, "s-1");
  session.prompt("create hello with key AKIAABCDEFGHIJKLMNOP");
  session.write("hello.go", "package hello\n\nfunc Hello() {}\n");
  session.say("Done.");
  session.stop();
  repository.git("add", "-A");
  const [id] = commit("-m", "add hello");
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  const folder = folderOf(id);
  expect(repository.git("ls-tree", "-r", "--name-only", v1).split("\n")).toEqual(
    ["0/content_hash.txt", "0/full.jsonl", "0/metadata.json", "0/prompt.txt", "metadata.json"].map(
      (name) => `${folder}/${name}`,
    ),
  );
  expect(json(`${folder}/metadata.json`)).toMatchObject({
    checkpoint_id: id,
    strategy: "manual-commit",
    branch: "main",
    files_touched: ["hello.go"],
    token_usage: { input_tokens: 20, output_tokens: 10, api_call_count: 2 },
  });
  expect(json(`${folder}/0/metadata.json`)).toMatchObject({
    session_id: "s-1",
    agent: "Claude Code",
    model: "claude-test-1",
    initial_attribution: { agent_lines: 3, total_committed: 3, agent_percentage: 100, human_added: 0 },
  });
  expect(show(`${folder}/0/prompt.txt`)).toBe("create hello with key REDACTED");
  expect(show(`${folder}/0/full.jsonl`)).not.toContain("AKIA");
  expect(repository.git("log", "-1", "--format=%B", v1)).toContain("Entire-Session: s-1");
  expect(stateOf(session)).toMatchObject({
    phase: "idle",
    base_commit: repository.git("rev-parse", "HEAD"),
    checkpoint_count: 0,
    last_checkpoint_id: id,
    checkpoint_transcript_start: 4,
  });
  expect(stateOf(session)["files_touched"]).toBeUndefined();
  expect(problems()).toEqual([]);
  expect(readdirSync(join(repository.folder, ".git/keyframe/commit/prepared"))).toEqual([]);
});
