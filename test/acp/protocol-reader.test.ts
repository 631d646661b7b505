import { expect, test } from "vitest";
import { ProtocolReader } from "../../src/acp/protocol-reader.ts";

function openReader(files: Record<string, string> = {}, tool?: string) {
  const reader = new ProtocolReader({
    tool,
    fallbackTool: "program",
    run: "r1",
    readText: (path) => files[path],
  });
  const editor = (message: object) => reader.fromEditor({ jsonrpc: "2.0", ...message });
  const agent = (message: object) => reader.fromAgent({ jsonrpc: "2.0", ...message });
  const update = (update: object) => agent({ method: "session/update", params: { sessionId: "s1", update } });
  const open = () => {
    editor({ id: 0, method: "initialize", params: { protocolVersion: 1 } });
    agent({ id: 0, result: { protocolVersion: 1, agentInfo: { name: "qwen-code", version: "1" } } });
    editor({ id: 1, method: "session/new", params: { cwd: "/r", mcpServers: [] } });
    return agent({ id: 1, result: { sessionId: "s1", models: { currentModelId: "m1" } } });
  };
  return { reader, editor, agent, update, open };
}

const from = { agent: { tool: "qwen", id: "s1", model: "m1" }, cwd: "/r" };

test("a session, a prompt and the end of its turn", () => {
  const { agent, editor, open } = openReader();
  expect(open()).toEqual([{ kind: "session-start", ...from }]);
  const prompt = [
    { type: "text", text: "do it" },
    { type: "resource_link", uri: "file:///r/a", name: "a" },
  ];
  expect(editor({ id: 2, method: "session/prompt", params: { sessionId: "s1", prompt } })).toEqual([
    { kind: "prompt", ...from, prompt: "do it\nfile:///r/a" },
  ]);
  expect(agent({ id: 2, result: { stopReason: "end_turn" } })).toEqual([{ kind: "turn-end", ...from }]);
});

test.each([
  ["@zed-industries/claude-agent-acp", "claude"],
  ["gemini-cli", "gemini"],
  ["Copilot", "copilot"],
  ["Kimi Code CLI", "kimi"],
  ["Some Agent", "some-agent"],
  ["kilo", "kilo"],
])("an agent that calls itself %s is %s", (name, tool) => {
  const { agent, editor } = openReader();
  editor({ id: 0, method: "initialize" });
  agent({ id: 0, result: { agentInfo: { name } } });
  editor({ id: 1, method: "session/new", params: { cwd: "/r" } });
  expect(agent({ id: 1, result: { sessionId: "s1" } })).toMatchObject([
    { agent: { tool, id: "s1", model: "unknown" } },
  ]);
});

test("a file that the editor writes for the agent is looked at before and after", () => {
  const { agent, editor, open } = openReader();
  open();
  const call = { toolUseId: "fs-r1-7", toolName: "fs/write_text_file", paths: ["/r/a"] };
  expect(
    agent({ id: 7, method: "fs/write_text_file", params: { sessionId: "s1", path: "/r/a", content: "x" } }),
  ).toEqual([{ kind: "before-edit", ...from, ...call }]);
  expect(editor({ id: 7, result: {} })).toEqual([{ kind: "after-edit", ...from, ...call }]);
  expect(editor({ id: 7, result: {} })).toEqual([]);
});

test("an edit begins once its path is known, and ends", () => {
  const { open, update } = openReader({ "/r/a": "old\n" });
  open();
  const kind = "edit";
  expect(
    update({ sessionUpdate: "tool_call", toolCallId: "c", kind, status: "pending", title: "Edit" }),
  ).toEqual([]);
  const call = { toolUseId: "c", toolName: "Edit", paths: ["/r/a"] };
  const rawInput = { file_path: "a" };
  expect(update({ sessionUpdate: "tool_call_update", toolCallId: "c", rawInput })).toEqual([
    { kind: "before-edit", ...from, ...call },
  ]);
  expect(update({ sessionUpdate: "tool_call_update", toolCallId: "c", status: "completed" })).toEqual([
    { kind: "after-edit", ...from, ...call, originals: new Map() },
  ]);
});

test.each([
  ["whole texts", [{ path: "/r/a", oldText: "old\n", newText: "new\n" }], "old\n"],
  ["a part", [{ path: "/r/a", oldText: "ol", newText: "ne" }], "olw\n"],
  ["a new file", [{ path: "/r/a", oldText: null, newText: "new\n" }], null],
  ["a part that stands twice", [{ path: "/r/a", oldText: "x", newText: "" }], undefined],
  ["another text", [{ path: "/r/a", oldText: "x", newText: "y" }], undefined],
])("what a file held before an edit that was told too late: %s", (_, diffs, before) => {
  const { open, update } = openReader({ "/r/a": "new\n" });
  open();
  const content = diffs.map((diff) => ({ type: "diff", ...diff }));
  const [after] = update({
    sessionUpdate: "tool_call",
    toolCallId: "c",
    kind: "edit",
    status: "completed",
    content,
  });
  expect(after).toMatchObject({ kind: "after-edit", paths: ["/r/a"] });
  expect(after?.kind === "after-edit" && after.originals?.get("/r/a")).toBe(before);
});

test("a command is looked at when it is announced, again when it is permitted, and when it has failed", () => {
  const { agent, editor, open, update } = openReader();
  open();
  const shell = { toolUseId: "c", toolName: "Run", command: "make" };
  const rawInput = { command: "make" };
  expect(
    update({ sessionUpdate: "tool_call", toolCallId: "c", kind: "execute", title: "Run", rawInput }),
  ).toEqual([{ kind: "before-shell", ...from, ...shell }]);
  const toolCall = { toolCallId: "c" };
  expect(
    agent({ id: 3, method: "session/request_permission", params: { sessionId: "s1", toolCall } }),
  ).toEqual([]);
  expect(editor({ id: 3, result: { outcome: { outcome: "selected", optionId: "a" } } })).toEqual([
    { kind: "before-shell", ...from, ...shell },
  ]);
  expect(update({ sessionUpdate: "tool_call_update", toolCallId: "c", status: "failed" })).toEqual([
    { kind: "after-shell", ...from, ...shell },
  ]);
});

test("a terminal of the editor runs from its creation to its end, once", () => {
  const { agent, editor, open } = openReader();
  open();
  const call = { toolUseId: "terminal-r1-4", toolName: "terminal/create", command: "ls" };
  expect(agent({ id: 4, method: "terminal/create", params: { sessionId: "s1", command: "ls" } })).toEqual([
    { kind: "before-shell", ...from, ...call },
  ]);
  expect(editor({ id: 4, result: { terminalId: "t" } })).toEqual([]);
  const params = { sessionId: "s1", terminalId: "t" };
  expect(agent({ id: 5, method: "terminal/wait_for_exit", params })).toEqual([]);
  expect(editor({ id: 5, result: { exitCode: 0 } })).toEqual([{ kind: "after-shell", ...from, ...call }]);
  expect(agent({ id: 6, method: "terminal/release", params })).toEqual([]);
});

test("tools that read, replayed history and calls after the turn say nothing", () => {
  const { agent, editor, open, reader, update } = openReader();
  expect(update({ sessionUpdate: "tool_call", toolCallId: "c", kind: "execute" })).toEqual([]);
  open();
  expect(update({ sessionUpdate: "tool_call", toolCallId: "r", kind: "read", status: "completed" })).toEqual(
    [],
  );
  update({ sessionUpdate: "tool_call", toolCallId: "c", kind: "execute" });
  editor({ id: 2, method: "session/prompt", params: { sessionId: "s1" } });
  agent({ id: 2, result: {} });
  expect(editor({ id: 9, result: { terminalId: "t" } })).toEqual([]);
  expect(reader.end()).toEqual([{ kind: "session-end", ...from }]);
});

test.each([
  null,
  [],
  7,
  "x",
  {},
  { id: {}, method: 7 },
  {
    method: "session/update",
    params: { sessionId: "s1", update: { sessionUpdate: "tool_call", toolCallId: 1 } },
  },
  {
    method: "session/update",
    params: {
      sessionId: "s1",
      update: {
        sessionUpdate: "tool_call",
        toolCallId: "c",
        kind: "edit",
        locations: [{ path: "\0" }, 7, null],
      },
    },
  },
  { id: 1, method: "fs/write_text_file", params: { sessionId: "s1", path: "a\0b" } },
  { id: 1, method: "session/new", params: { cwd: "relative" } },
])("hostile message %# says nothing", (message) => {
  const { open, reader } = openReader();
  open();
  expect([reader.fromAgent(message), reader.fromEditor(message)]).toEqual([[], []]);
});
