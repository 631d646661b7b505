// Covers src/cli/session/**.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
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

test.each([
  {
    agent: "codex",
    display: "Codex",
    path: ".codex/sessions/2026/01/02/rollout-2026-01-02T03-04-05-lost-2.jsonl",
    lines: [
      { type: "session_meta", payload: { id: "lost-2" } },
      { type: "turn_context", payload: { model: "model-x" } },
      {
        type: "response_item",
        payload: { type: "message", role: "user", content: [{ type: "input_text", text: "make a" }] },
      },
      {
        type: "response_item",
        payload: { type: "custom_tool_call", name: "apply_patch", input: "*** Add File: a\n+1\n" },
      },
      {
        type: "event_msg",
        payload: {
          type: "token_count",
          info: { total_token_usage: { input_tokens: 1000, cached_input_tokens: 600, output_tokens: 20 } },
        },
      },
    ],
  },
  {
    agent: "gemini",
    display: "Gemini CLI",
    path: ".gemini/tmp/work/chats/session-2026-01-02T03-04-lost-2.jsonl",
    lines: [
      { sessionId: "lost-2", kind: "main" },
      { id: "1", type: "user", content: [{ text: "make a" }] },
      {
        id: "2",
        type: "gemini",
        content: "Made.",
        model: "model-x",
        tokens: { input: 1000, output: 13, cached: 600, thoughts: 7 },
        toolCalls: [{ name: "write_file", args: { file_path: "a" }, status: "success", result: [] }],
      },
    ],
  },
])(
  "a conversation of $display is adopted by its id: prompt, model, tokens, files",
  ({ agent, display, path, lines }) => {
    const file = join(repository.env["HOME"] ?? "", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    repository.write("a", "1\n");
    const attached = repository.keyframe(["session", "attach", "lost-2", "--agent", agent, "--json"]);
    expect(JSON.parse(attached.stdout)).toMatchObject({ agent, transcriptPath: file, pending: ["a"] });
    repository.git("add", "a");
    repository.git("commit", "-qm", "a");
    const id = trailer();
    const stored = (name: string) =>
      repository.git("show", `entire/checkpoints/v1:${id.slice(0, 2)}/${id.slice(2)}/0/${name}`);
    expect(stored("prompt.txt")).toBe("make a");
    expect(JSON.parse(stored("metadata.json"))).toMatchObject({
      agent: display,
      model: "model-x",
      files_touched: ["a"],
      token_usage: { input_tokens: 400, cache_read_tokens: 600, output_tokens: 20, api_call_count: 1 },
    });
    expect(repository.keyframe(["explain", id]).stdout).toContain("make a");
  },
);

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
