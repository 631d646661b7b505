import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
  repository.keyframe(["enable"]);
});
afterEach(() => repository.remove());

const trailer = () =>
  repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)").trim();
const statePath = (id: string) => join(repository.folder, `.git/entire-sessions/${id}.json`);
const say = (path: string, content: string) => ({
  type: "assistant",
  message: {
    id: "m",
    role: "assistant",
    content: [{ type: "tool_use", id: "t", name: "Write", input: { file_path: path, content } }],
    usage: { input_tokens: 1, output_tokens: 1 },
  },
});

test("a session whose hooks were missing is adopted: its files are linked, and only once", () => {
  const session = startAgentSession(repository, "lost-1");
  session.append({ type: "user", message: { role: "user", content: "make a" } });
  session.append(say(join(repository.folder, "a"), "1\n"), say("/elsewhere/b", "2\n"));
  repository.write("a", "1\n");
  const attached = repository.keyframe(["session", "attach", "lost-1", "--json"]);
  expect(JSON.parse(attached.stdout)).toMatchObject({
    id: "lost-1",
    agent: "claude",
    lines: 3,
    pending: ["a"],
  });
  repository.git("add", "a");
  repository.git("commit", "-qm", "a");
  const id = trailer();
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  expect(repository.git("show", `entire/checkpoints/v1:${id.slice(0, 2)}/${id.slice(2)}/0/prompt.txt`)).toBe(
    "make a",
  );
  repository.write("a", "by hand\n");
  repository.git("commit", "-qam", "by hand");
  expect(trailer()).toBe("");
});

test("a session that another tool records is adopted with what its state says, and its own fields stay", () => {
  const session = startAgentSession(repository, "theirs-1");
  session.append({ type: "user", message: { role: "user", content: "go" } });
  mkdirSync(join(repository.folder, ".git/entire-sessions"), { recursive: true });
  const state = {
    session_id: "theirs-1",
    cli_version: "0.6.2",
    base_commit: repository.git("rev-parse", "HEAD"),
    phase: "idle",
    checkpoint_count: 2,
    checkpoint_transcript_start: 0,
    files_touched: ["b"],
    agent_type: "Claude Code",
    transcript_path: session.transcriptPath,
    task_records: [{ tool_use_id: "x" }],
  };
  writeFileSync(statePath("theirs-1"), `${JSON.stringify(state, null, 2)}\n`);
  repository.write("b", "2\n");
  expect(repository.keyframe(["session", "attach", "theirs"]).code).toBe(3);
  expect(repository.keyframe(["session", "attach", "theirs-1"]).stdout).toContain("b");
  repository.git("add", "b");
  repository.git("commit", "-qm", "b");
  const id = trailer();
  const metadata = JSON.parse(
    repository.git("show", `entire/checkpoints/v1:${id.slice(0, 2)}/${id.slice(2)}/0/metadata.json`),
  );
  expect(metadata).toMatchObject({ session_id: "theirs-1", checkpoints_count: 2, files_touched: ["b"] });
  expect(JSON.parse(readFileSync(statePath("theirs-1"), "utf8"))).toMatchObject({
    cli_version: "0.6.2",
    task_records: [{ tool_use_id: "x" }],
    last_checkpoint_id: id,
  });
});

test("sessions are listed, shown and stopped, by the beginning of their id", async () => {
  const session = startAgentSession(repository, "live-1");
  await session.prompt("make a file");
  await session.write("a", "1\n");
  session.say("ok");
  await session.stop();
  writeFileSync(statePath("broken"), "{");
  const listed = JSON.parse(repository.keyframe(["session", "list", "--json"]).stdout);
  expect(listed.sessions).toMatchObject([
    { id: "live-1", phase: "idle", agent: "Claude Code", pendingFiles: ["a"], prompt: "make a file" },
  ]);
  expect(listed.damaged).toMatchObject([{ id: "broken" }]);
  expect(repository.keyframe(["session", "list"]).stdout).toContain("1 to commit");
  expect(JSON.parse(repository.keyframe(["session", "show", "live", "--json"]).stdout)).toMatchObject({
    capturedLines: 4,
    prompts: ["make a file"],
  });
  expect(repository.keyframe(["session", "show", "live"]).stdout).toContain("make a file");
  expect(repository.keyframe(["session", "stop", "live-1"]).code).toBe(0);
  expect(JSON.parse(readFileSync(statePath("live-1"), "utf8"))).toMatchObject({
    phase: "ended",
    files_touched: ["a"],
  });
  const unknown = repository.keyframe(["session", "show", "nobody"]);
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining("no session is called nobody")]);
});
