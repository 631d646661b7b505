// Covers src/agents/conversations/**.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  findConversationPlace,
  resumeCommandOf,
  subagentTranscriptPath,
} from "../../src/agents/conversations/conversation-place.ts";
import { findConversationFile } from "../../src/agents/conversations/find-conversation.ts";
import { nodeFiles } from "../../src/system/files/files.ts";

const sessionId = "0198f2aa-77aa-7e31-8f7d-2b1c6f0e9a11";
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kf-places-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const facts = () => ({ sessionId, folder: "/work/my.project", home, env: {} });
const place = (tool: string, firstLine = "", folder = "/work/my.project") =>
  findConversationPlace(tool, { ...facts(), folder, firstLine });

describe("the place of a conversation", () => {
  const at = '{"timestamp":"2026-11-21T08:48:32.445Z","type":"session"}';
  test("is that of the agent's own kind", () => {
    const claude = place("claude");
    expect(claude).toEqual({
      path: join(home, `.claude/projects/-work-my-project/${sessionId}.jsonl`),
      command: `claude -r ${sessionId}`,
    });
    expect(place("codex", at)?.path).toBe(
      join(home, `.codex/sessions/2026/11/21/rollout-2026-11-21T08-48-32-${sessionId}.jsonl`),
    );
    expect(place("copilot")?.path).toBe(join(home, `.copilot/session-state/${sessionId}/events.jsonl`));
    expect(place("pi", at, "/work/project")?.path).toBe(
      join(home, `.pi/agent/sessions/--work-project--/2026-11-21T08-48-32-445Z_${sessionId}.jsonl`),
    );
    expect(place("gemini", '{"sessionId":"x","messages":[]}')?.path).toMatch(
      /tmp\/[0-9a-f]{64}\/chats\/session-.*\.json$/,
    );
  });

  test("is not guessed: neither a date, nor a spelling, nor a name of the agent's own", () => {
    expect(place("codex", '{"type":"session_meta"}')).toBeUndefined();
    expect(place("pi", at, "/work/my project")).toBeUndefined();
    expect(place("gemini", '{"sessionId":"x","projectHash":"h","kind":"main"}')).toBeUndefined();
    for (const tool of ["opencode", "cursor", "droid", "nobody"]) expect(place(tool, at)).toBeUndefined();
  });

  test.each(["../../../etc/passwd", "a/b", "", "-rf", "a b", "$(id)", "x".repeat(200)])(
    "%j is no id for a path or a command",
    (id) => {
      const hostile = { ...facts(), sessionId: id };
      expect(findConversationPlace("claude", { ...hostile, firstLine: "" })).toBeUndefined();
      expect(resumeCommandOf("claude", id)).toBeUndefined();
      expect(findConversationFile("codex", hostile, nodeFiles)).toBeUndefined();
      if (id !== "x".repeat(200) && id !== "-rf")
        expect(subagentTranscriptPath("claude", "/h/s.jsonl", id)).toBeUndefined();
    },
  );

  test("of a subagent lies in a folder of the conversation's name", () => {
    expect(subagentTranscriptPath("claude", "/h/s.jsonl", "a1")).toBe("/h/s/subagents/agent-a1.jsonl");
    expect(subagentTranscriptPath("codex", "/h/s.jsonl", "a1")).toBeUndefined();
  });
});

describe("a conversation that is there", () => {
  const put = (path: string, content = "{}\n") => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), content);
    return join(home, path);
  };
  test.each([
    ["claude", `.claude/projects/-work-my-project/${sessionId}.jsonl`],
    ["codex", `.codex/sessions/2026/11/20/rollout-2026-11-20T01-02-03-${sessionId}.jsonl`],
    ["gemini", `.gemini/tmp/my-project/chats/session-2026-11-21T08-48-${sessionId.slice(0, 8)}.jsonl`],
    ["copilot", `.copilot/session-state/${sessionId}/events.jsonl`],
    ["pi", `.pi/agent/sessions/--any--/2026-11-21T08-48-32-445Z_${sessionId}.jsonl`],
    ["cursor", `.cursor/projects/any/agent-transcripts/${sessionId}.jsonl`],
    ["cursor", `.cursor/projects/any/agent-transcripts/${sessionId}/${sessionId}.jsonl`],
    ["droid", `.factory/sessions/-work/${sessionId}.jsonl`],
  ])("of %s is found where it files it: %s", (tool, path) => {
    put(".codex/sessions/2026/11/21/rollout-2026-11-21T01-02-03-another.jsonl");
    put(".gemini/tmp/a/chats/session-1-0198f2aa.jsonl", '{"sessionId":"0198f2aa-another"}\n');
    expect(findConversationFile(tool, facts(), nodeFiles)).toBeUndefined();
    const full = put(path, `{"sessionId":"${sessionId}"}\n`);
    expect(findConversationFile(tool, facts(), nodeFiles)).toBe(full);
  });
});
