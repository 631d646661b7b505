import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { claudeAdapter } from "../../src/agents/hooks/claude.ts";
import { classifyTool, writingToolsMatcher } from "../../src/agents/hooks/claude-tools.ts";

// recorded from Claude Code 2.1.329 in a scenario of ours; texts of its makers are taken out
const recorded = readFileSync(new URL("fixtures/claude-2.1.329.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Record<string, unknown>);

function find(event: string, tool?: string, subagent = false): Record<string, unknown> {
  const found = recorded.find(
    (payload) =>
      payload["hook_event_name"] === event &&
      (tool === undefined || payload["tool_name"] === tool) &&
      (payload["agent_id"] !== undefined) === subagent,
  );
  if (found === undefined) throw new Error(`no ${event} ${tool} was recorded`);
  return found;
}

const parse = (payload: unknown) => claudeAdapter.parsePayload(payload);
const origin = {
  agent: { tool: "claude", id: "5ab4ab6b-ef37-403c-8cf1-cff61f4b4059", model: "unknown" },
  cwd: "/repo",
  transcriptPath: "/home/dev/.claude/projects/-repo/5ab4ab6b-ef37-403c-8cf1-cff61f4b4059.jsonl",
};

describe("recorded payloads of Claude Code", () => {
  test.each([
    ["SessionStart", { kind: "session-start", source: "startup" }],
    ["UserPromptSubmit", { kind: "prompt", prompt: "create hello.ts" }],
    ["Stop", { kind: "turn-end" }],
    ["SessionEnd", { kind: "session-end", reason: "other" }],
  ])("%s is an event of the conversation", (event, expected) => {
    expect(parse(find(event))).toEqual({ ...origin, ...expected });
  });

  test("an edit tool is a pair of events that carry one call id, the later with the text before", () => {
    const before = parse(find("PreToolUse", "Edit"));
    const after = parse(find("PostToolUse", "Edit"));
    expect(before).toEqual({
      ...origin,
      kind: "before-edit",
      toolName: "Edit",
      toolUseId: find("PreToolUse", "Edit")["tool_use_id"],
      paths: ["/repo/hello.ts"],
      expected: expect.any(Function),
    });
    expect(after).toEqual({
      ...before,
      expected: expect.any(Function),
      kind: "after-edit",
      originals: new Map([["/repo/hello.ts", "export const n = 1;\n"]]),
    });
  });

  test("what it is to leave in a file is told before it, for whole texts and replacements", () => {
    const leaves = (tool: string, input: object, text: string | undefined) => {
      const event = parse({ ...find("PreToolUse", "Edit"), tool_name: tool, tool_input: input });
      return event.kind === "before-edit" ? event.expected?.(text) : undefined;
    };
    const [file_path, old_string, new_string] = ["/repo/a", "a", "b"];
    expect(leaves("Write", { file_path, content: "x" }, undefined)).toBe("x");
    expect(leaves("Edit", { file_path, old_string, new_string }, "1 a\n")).toBe("1 b\n");
    expect(leaves("Edit", { file_path, old_string, new_string }, "a a\n")).toBe(undefined);
    expect(leaves("Edit", { file_path, old_string, new_string, replace_all: true }, "a a\n")).toBe("b b\n");
    const edits = [
      { old_string, new_string },
      { old_string: "1", new_string: "2" },
    ];
    expect(leaves("MultiEdit", { file_path, edits }, "1 a\n")).toBe("2 b\n");
    expect(leaves("MultiEdit", { file_path, edits }, "no such text")).toBe(undefined);
  });

  test("a file that Write made has no text before", () => {
    expect(parse(find("PostToolUse", "Write"))).toMatchObject({
      kind: "after-edit",
      originals: new Map([["/repo/hello.ts", null]]),
    });
  });

  test("a shell call that failed ends like one that did not", () => {
    expect(parse(find("PreToolUse", "Bash"))).toMatchObject({
      kind: "before-shell",
      command: "echo x >> notes.txt; exit 3",
    });
    expect(parse(find("PostToolUseFailure", "Bash"))).toMatchObject({
      kind: "after-shell",
      toolUseId: find("PreToolUse", "Bash")["tool_use_id"],
    });
  });

  test("a subagent's work belongs to the conversation and names the subagent", () => {
    expect(parse(find("PostToolUse", "Write", true))).toMatchObject({
      agent: origin.agent,
      subagentId: "a31587942d41f539a",
      paths: ["/repo/sub.ts"],
    });
    expect(parse(find("SubagentStop", undefined, true))).toMatchObject({ kind: "subagent-end" });
  });

  test("tools that only read are ignored", () => {
    expect(parse(find("PreToolUse", "Read"))).toMatchObject({ kind: "ignored" });
    expect(parse(find("PreToolUse", "Agent"))).toMatchObject({ kind: "ignored" });
  });
});

describe("payloads that are not as recorded", () => {
  const edit = find("PostToolUse", "Edit");

  test.each([
    ["camelCase names", { tool_name: undefined, toolName: "Edit", tool_use_id: undefined, toolUseId: "t" }],
    ["another case of the tool's name", { tool_name: "edit" }],
    ["a relative path", { tool_input: { file_path: "hello.ts" } }],
    ["a path with ..", { tool_input: { file_path: "/repo/x/../hello.ts" } }],
    ["a file URL", { tool_input: { file_path: "file:///repo/hello.ts" } }],
    ["a list of paths", { tool_input: { file_paths: ["hello.ts"] } }],
    ["no tool name, as before version 2", { tool_name: undefined }],
  ])("%s: read all the same", (_, change) => {
    expect(parse({ ...edit, ...change })).toMatchObject({ kind: "after-edit", paths: ["/repo/hello.ts"] });
  });

  test("the session id is the transcript's name where the payload has none", () => {
    expect(parse({ ...edit, session_id: undefined })).toMatchObject({ agent: origin.agent });
  });

  test("a model in the payload is taken over", () => {
    expect(parse({ ...edit, model: "some-model-5" })).toMatchObject({ agent: { model: "some-model-5" } });
  });

  test("NotebookEdit names its file by another field", () => {
    const call = { ...edit, tool_name: "NotebookEdit", tool_input: { notebook_path: "a.ipynb" } };
    expect(parse(call)).toMatchObject({ kind: "after-edit", paths: ["/repo/a.ipynb"] });
  });

  test("an MCP tool and a tool nobody knows are watched like a shell call", () => {
    for (const name of ["mcp__files__write", "ToolOfTomorrow"]) {
      expect(parse({ ...edit, tool_name: name })).toMatchObject({ kind: "after-shell", toolName: name });
    }
  });

  test("a text before that is too large to be repeated is no statement that the file was new", () => {
    const response = { type: "update", originalFile: null };
    expect(parse({ ...edit, tool_response: response })).not.toHaveProperty("originals");
  });

  test.each([
    ["Cursor", { cursor_version: "2.0" }],
    ["Cursor", { transcript_path: "/home/dev/.cursor/projects/x/y.jsonl" }],
    ["Copilot", { extensionId: "github.copilot-chat" }],
    ["Copilot", { transcript_path: "/h/.config/Code/User/workspaceStorage/1/GitHub.copilot-chat/t.jsonl" }],
    ["Copilot", { tool_use_id: "toolu_1__vscode-1775585312869" }],
  ])("a look-alike of %s is refused", (name, change) => {
    expect(parse({ ...edit, ...change })).toMatchObject({
      kind: "refused",
      why: expect.stringContaining(name),
    });
  });

  test.each([
    ["no object", 7],
    ["a list", []],
    ["no folder", { ...edit, cwd: undefined }],
    ["a relative folder", { ...edit, cwd: "repo" }],
    ["no transcript", { ...edit, transcript_path: "" }],
    ["no event", { ...edit, hook_event_name: undefined }],
    ["an edit without a file", { ...edit, tool_input: {} }],
    ["a file name with a zero byte", { ...edit, tool_input: { file_path: "a\0b" } }],
    ["a file name longer than the system allows", { ...edit, tool_input: { file_path: "a".repeat(5000) } }],
    ["a session id with a line break", { ...edit, session_id: "a\nb", transcript_path: "/t/\n.jsonl" }],
  ])("%s: refused with a reason", (_, payload) => {
    expect(parse(payload)).toEqual({ kind: "refused", why: expect.stringMatching(/\S/) });
  });

  test("no JSON value makes the adapter throw", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void parse(value)));
    const names = [...new Set(recorded.flatMap((payload) => Object.keys(payload)))];
    const broken = fc.tuple(fc.constantFrom(...recorded), fc.constantFrom(...names), fc.jsonValue());
    fc.assert(fc.property(broken, ([payload, name, value]) => void parse({ ...payload, [name]: value })));
  });
});

test("the matcher for Claude's settings lets exactly the tools through that are not read-only", () => {
  const matcher = new RegExp(writingToolsMatcher);
  for (const name of [
    "Write",
    "Edit",
    "Bash",
    "mcp__x__read",
    "ReadAndWrite",
    "Read",
    "Grep",
    "Agent",
    "LS",
  ]) {
    expect([name, matcher.test(name)]).toEqual([name, classifyTool(name) !== "read-only"]);
  }
});

describe("the model", () => {
  const event = parse(find("PostToolUse", "Write", true));
  if (!("agent" in event)) throw new Error("the recorded payload is an event");
  const line = (model: string) =>
    JSON.stringify({ type: "assistant", message: { role: "assistant", model } });
  const find_ = (files: Record<string, string>) =>
    claudeAdapter.findModel?.(event, (path, maxBytes) =>
      files[path] === undefined ? undefined : Buffer.from(files[path]).subarray(-maxBytes),
    );
  const conversation = origin.transcriptPath;
  const own = conversation.replace(".jsonl", "/subagents/agent-a31587942d41f539a.jsonl");

  test("is that of the subagent's last message, else of the conversation's", () => {
    expect(find_({ [conversation]: `${line("big")}\n`, [own]: `${line("small")}\n` })).toBe("small");
    expect(find_({ [conversation]: `${line("old")}\n${line("big")}\n{"type":"user"}\n` })).toBe("big");
    expect(find_({})).toBeUndefined();
  });

  test("skips what is cut, half written, made up by the program, or only quotes the field", () => {
    const quoted = JSON.stringify({ type: "assistant", text: line("quoted"), input: { model: "chosen" } });
    const text = `model":"cut"}\n${line("right")}\n${quoted}\n${line("<synthetic>")}\n${line("half").slice(0, 40)}`;
    expect(find_({ [conversation]: text })).toBe("right");
  });
});
