// Covers src/transcripts/*, src/transcripts/scan/**.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toolNameOf } from "../../src/transcripts/agent-names.ts";
import { lineCompactorOf, saidLinesOf } from "../../src/transcripts/compact/agents.ts";
import { type CompactLine, encodeCompactLine } from "../../src/transcripts/compact/compact-line.ts";
import { createCompactor } from "../../src/transcripts/compact/compactor.ts";
import { transcriptLines } from "../../src/transcripts/document-lines.ts";
import { emptyFacts, type TranscriptFacts } from "../../src/transcripts/scan/transcript-facts.ts";
import { scanTranscriptLine } from "../../src/transcripts/scan/transcript-scan.ts";

// made up, in the shape that the real programs wrote: codex 0.169, gemini-cli 0.61, copilot 1.0.102, opencode 1.18,
// pi 0.73; Cursor and Factory Droid as other tools that read them describe their lines
const at = "2026-01-02T03:04:05.000Z";
const lines = (...values: readonly object[]) =>
  Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(""));

async function* whole(content: Buffer): AsyncGenerator<Buffer> {
  // in pieces, as it comes from a file or an object
  for (let from = 0; from < content.length; from += 50) yield content.subarray(from, from + 50);
}

async function read(
  agent: string,
  content: Buffer,
): Promise<{ facts: TranscriptFacts; compact: CompactLine[] }> {
  const facts = emptyFacts();
  const pieces: Buffer[] = [];
  for await (const piece of transcriptLines(whole(content))) pieces.push(piece);
  const all = Buffer.concat(pieces);
  for (const line of all.toString("utf8").split("\n").slice(0, -1))
    scanTranscriptLine(toolNameOf(agent), Buffer.from(line), facts);
  const compact = compactAll(agent, all);
  // who wants only what was said may leave lines out
  const isSaid = saidLinesOf(agent) ?? (() => true);
  const wanted = Buffer.from(
    all
      .toString("utf8")
      .split(/(?<=\n)/)
      .filter(isSaid)
      .join(""),
  );
  expect(said(compactAll(agent, wanted))).toEqual(said(compact));
  return { facts, compact };
}

function compactAll(agent: string, content: Buffer): CompactLine[] {
  const lineCompactor = lineCompactorOf(agent);
  if (lineCompactor === undefined) throw new Error(`${agent} has no compactor`);
  const compactor = createCompactor(lineCompactor);
  compactor.push(content);
  compactor.endLine();
  const compact = compactor.take();
  const open = compactor.open();
  return open === undefined ? compact : [...compact, open];
}

function said(compact: readonly CompactLine[]): unknown[] {
  return compact.flatMap((line): unknown[] =>
    line.type === "user"
      ? line.content.flatMap((block) => ("text" in block ? [block["text"]] : []))
      : line.content.map((block) => (block.type === "text" ? block.text : [block.name, block.input])),
  );
}

test("results and bookkeeping of Claude Code and Codex need not be parsed for what was said", () => {
  const wanted = (agent: string, ...values: readonly object[]) =>
    values.map((value) => saidLinesOf(agent)?.(JSON.stringify(value)));
  const result = { type: "tool_result", tool_use_id: "t", content: 'said "text" and "message"' };
  const user = (content: unknown) => ({ type: "user", message: { role: "user", content } });
  expect(
    wanted(
      "claude",
      user([result]),
      { type: "progress", data: 1 },
      user("hello"),
      user([result, { type: "text", text: "x" }]),
    ),
  ).toEqual([false, false, true, true]);
  const item = (payload: object) => ({ type: "response_item", payload });
  expect(
    wanted(
      "codex",
      item({ type: "function_call_output", call_id: "c", output: "x" }),
      { type: "event_msg", payload: { type: "agent_message" } },
      item({ type: "message", content: [{ type: "output_text", text: 'a "function_call_output"' }] }),
    ),
  ).toEqual([false, false, true]);
  expect(saidLinesOf("gemini")).toBeUndefined();
});
const prompts = ({ prompts: found }: TranscriptFacts) => found.map(({ line, text }) => [line, text]);
const shape = (compact: readonly CompactLine[]) =>
  compact.map((line) => JSON.parse(encodeCompactLine(line, { agent: "x", cliVersion: "1" })).content);

test("Codex: sums that grow, that are told twice and that begin anew; patches name their files", async () => {
  const item = (payload: object) => ({ timestamp: at, type: "response_item", payload });
  const sum = (input: number, cached: number, output: number) => ({
    type: "event_msg",
    payload: {
      type: "token_count",
      info: {
        total_token_usage: { input_tokens: input, cached_input_tokens: cached, output_tokens: output },
      },
    },
  });
  const user = (text: string) =>
    item({ type: "message", role: "user", content: [{ type: "input_text", text }] });
  const patch =
    "*** Begin Patch\n*** Update File: src/a.ts\n*** Move to: src/b.ts\n@@\n-x\n+*** Add File: not this\n*** End Patch\n";
  const content = lines(
    { type: "session_meta", payload: { id: "x" } },
    user("<environment_context>\n</environment_context>"),
    { type: "turn_context", payload: { model: "gpt-5.5" } },
    user(" do it "),
    { type: "event_msg", payload: { type: "token_count", info: null } },
    item({ type: "custom_tool_call", name: "apply_patch", call_id: "1", input: patch }),
    sum(1000, 600, 20),
    sum(1000, 600, 20),
    item({ type: "custom_tool_call_output", call_id: "1", output: "ok" }),
    item({ type: "function_call", name: "apply_patch", arguments: '{"input":"*** Add File: c d.ts\\n+x"}' }),
    sum(2500, 1600, 50),
    item({ type: "message", role: "assistant", content: [{ type: "output_text", text: "done" }] }),
    sum(700, 0, 5),
  );
  const { facts } = await read("Codex", content);
  expect(prompts(facts)).toEqual([[3, "do it"]]);
  expect(facts).toMatchObject({
    lines: 13,
    model: "gpt-5.5",
    open: false,
    tokens: { input: 900 + 700, cacheRead: 1600, output: 55, calls: 3, cacheCreation: 0 },
    editedPaths: ["src/a.ts", "src/b.ts", "c d.ts"],
  });
});

describe("Gemini CLI", () => {
  const user = (id: string, text: string) => ({
    id,
    timestamp: at,
    type: "user",
    content: [{ text }],
  });
  const tokens = { input: 1200, output: 20, cached: 600, thoughts: 7, tool: 0, total: 1227 };
  const said = { id: "g1", timestamp: at, type: "gemini", content: "Creating.", tokens, model: "gemini-x" };
  const call = {
    id: "c1",
    name: "write_file",
    args: { file_path: "/r/a" },
    status: "success",
    result: [{ functionResponse: { id: "c1", name: "write_file", response: { output: "written" } } }],
  };
  const failed = {
    id: "c2",
    name: "run_shell_command",
    args: {},
    status: "error",
    result: [{ functionResponse: { response: { error: "no" } } }],
  };
  const answer = {
    id: "u2",
    timestamp: at,
    type: "user",
    content: [{ functionResponse: { id: "c1", response: { output: "written" } } }],
  };
  const last = { id: "g2", timestamp: at, type: "gemini", content: "Done.", tokens };
  const expected = [
    [{ text: "make a" }],
    [
      { text: "Creating.", type: "text" },
      {
        id: "c1",
        input: { file_path: "/r/a" },
        name: "write_file",
        result: { output: "written", status: "success" },
        type: "tool_use",
      },
      {
        id: "c2",
        input: {},
        name: "run_shell_command",
        result: { output: "no", status: "error" },
        type: "tool_use",
      },
    ],
    [{ text: "Done.", type: "text" }],
  ];
  const sums = { input: 1200, cacheRead: 1200, output: 54, calls: 2 };

  test("as lines: a message that is written again stands for its first version", async () => {
    const content = lines(
      { sessionId: "s", projectHash: "h", kind: "main" },
      { $set: { messages: [user("u0", "<session_context>\nThis is the Gemini CLI.")] } },
      user("u1", "make a"),
      said,
      { $set: { lastUpdated: at } },
      { ...said, toolCalls: [call, failed] },
      answer,
      last,
    );
    const { facts, compact } = await read("Gemini CLI", content);
    expect(prompts(facts)).toEqual([[2, "make a"]]);
    expect(facts).toMatchObject({ model: "gemini-x", open: false, tokens: sums, editedPaths: ["/r/a"] });
    expect(shape(compact)).toEqual(expected);
  });

  test("as one document, with texts for contents, positions count messages", async () => {
    const document = {
      sessionId: "s",
      messages: [
        { ...user("u1", ""), content: "make a" },
        { ...said, toolCalls: [call, failed] },
        answer,
        last,
      ],
    };
    for (const content of [JSON.stringify(document), JSON.stringify(document, null, 2)]) {
      const { facts, compact } = await read("gemini", Buffer.from(content));
      expect(prompts(facts)).toEqual([[0, "make a"]]);
      expect(facts).toMatchObject({ lines: 4, tokens: sums });
      expect(shape(compact)).toEqual(expected);
    }
  });
});

test("Copilot CLI: calls with their ends, tokens a call or, in older versions, at the end", async () => {
  const event = (type: string, data: object) => ({ type, data, timestamp: at, id: "e" });
  const usage = { inputTokens: 1000, outputTokens: 20, cacheReadTokens: 600, cacheWriteTokens: 3 };
  const talk = [
    event("session.start", { sessionId: "s" }),
    event("user.message", { content: " make a ", transformedContent: "<now/>make a" }),
    event("assistant.message", {
      messageId: "m1",
      model: "model-x",
      content: "Creating.",
      toolRequests: [{ toolCallId: "c1", name: "create", arguments: { path: "/r/a" } }],
    }),
    event("tool.execution_complete", {
      toolCallId: "c1",
      success: true,
      fileEdits: [{ path: "/r/a", kind: "create" }],
      result: { content: "created" },
    }),
    event("assistant.message", { messageId: "m2", content: "Done.", toolRequests: [] }),
  ];
  const shutdown = event("session.shutdown", {
    modelMetrics: { "model-x": { requests: { count: 2 }, usage } },
  });
  const each = event("session.usage_record", { usage });
  const { facts, compact } = await read("Copilot CLI", lines(...talk, each, each, shutdown));
  expect(prompts(facts)).toEqual([[1, "make a"]]);
  expect(facts).toMatchObject({ model: "model-x", open: false, editedPaths: ["/r/a"] });
  expect(facts.tokens).toEqual({ input: 800, cacheRead: 1200, cacheCreation: 6, output: 40, calls: 2 });
  const older = await read("copilot-cli", lines(...talk, shutdown));
  expect(older.facts.tokens).toEqual({ input: 400, cacheRead: 600, cacheCreation: 3, output: 20, calls: 2 });
  expect(shape(compact)).toEqual([
    [{ text: "make a" }],
    [
      { text: "Creating.", type: "text" },
      {
        id: "c1",
        input: { path: "/r/a" },
        name: "create",
        result: { output: "created", status: "success" },
        type: "tool_use",
      },
    ],
    [{ text: "Done.", type: "text" }],
  ]);
});

test("OpenCode: an export is a document of messages with parts", async () => {
  const tokens = { total: 1020, input: 400, output: 13, reasoning: 7, cache: { read: 600, write: 2 } };
  const info = (role: string, id: string, more: object = {}) => ({
    role,
    id,
    time: { created: Date.parse(at) },
    ...more,
  });
  const tool = (status: string, more: object) => ({
    type: "tool",
    tool: "write",
    callID: "c1",
    state: { status, input: { filePath: "/r/a" }, ...more },
  });
  const messages = [
    {
      info: info("user", "u"),
      parts: [
        { type: "text", text: "make a" },
        { type: "text", text: "read before", synthetic: true },
      ],
    },
    {
      info: info("assistant", "a", { modelID: "model-x", finish: "tool-calls", tokens }),
      parts: [
        { type: "step-start" },
        { type: "text", text: "Creating." },
        tool("completed", { output: "written" }),
        tool("error", { error: "no" }),
        { type: "patch", files: ["/r/a"] },
      ],
    },
    {
      info: info("assistant", "b", { finish: "stop", tokens }),
      parts: [{ type: "text", text: "Done." }],
    },
  ];
  const { facts, compact } = await read(
    "OpenCode",
    Buffer.from(JSON.stringify({ info: { id: "ses_1" }, messages }, null, 1)),
  );
  expect(prompts(facts)).toEqual([[0, "make a"]]);
  expect(facts).toMatchObject({ lines: 3, model: "model-x", open: false, editedPaths: ["/r/a"] });
  expect(facts.tokens).toEqual({ input: 800, cacheRead: 1200, cacheCreation: 4, output: 40, calls: 2 });
  expect(compact[0]?.ts).toBe(at);
  expect(shape(compact)).toMatchObject([
    [{ text: "make a" }],
    [{ text: "Creating." }, { result: { output: "written" } }, { result: { status: "error" } }],
    [{ text: "Done." }],
  ]);
});

test("Pi: cached tokens lie beside the input, and edits name their paths", async () => {
  const message = (value: object) => ({ type: "message", id: "i", timestamp: at, message: value });
  const content = lines(
    { type: "session", version: 3, id: "s" },
    message({ role: "user", content: [{ type: "text", text: "make a" }] }),
    message({
      role: "assistant",
      model: "model-x",
      usage: { input: 400, output: 20, cacheRead: 600, cacheWrite: 0, totalTokens: 1020 },
      content: [{ type: "toolCall", id: "c", name: "write", arguments: { path: "/r/a" } }],
    }),
    message({ role: "toolResult", toolCallId: "c", content: [{ type: "text", text: "ok" }] }),
  );
  const { facts } = await read("Pi", content);
  expect(prompts(facts)).toEqual([[1, "make a"]]);
  expect(facts).toMatchObject({ model: "model-x", open: true, editedPaths: ["/r/a"] });
  expect(facts.tokens).toEqual({ input: 400, cacheRead: 600, cacheCreation: 0, output: 20, calls: 1 });
});

test("Claude Code: its own lines about the conversation, not those about others that lie before it", () => {
  const facts = emptyFacts();
  const scan = (line: object) => scanTranscriptLine("claude", Buffer.from(JSON.stringify(line)), facts);
  scan({ type: "summary", summary: "another conversation", leafUuid: "x" });
  expect(facts.summary).toBeUndefined();
  scan({ type: "user", message: { role: "user", content: "limit the rates" } });
  for (const line of [
    { type: "ai-title", aiTitle: "  Limit\n rates " },
    { type: "ai-title", aiTitle: 7 },
    { type: "custom-title", customTitle: "" },
  ])
    scan(line);
  expect(facts.summary).toBe("Limit rates");
  scan({ type: "summary", summary: "s".repeat(10_000), leafUuid: "y" });
  expect(facts.summary).toHaveLength(500);
});

test("Cursor and Factory Droid: Claude's messages, with the role in the line or in the message", async () => {
  const talk = [
    { role: "user", content: [{ type: "text", text: "make a" }] },
    {
      role: "assistant",
      content: [
        { type: "text", text: "Creating." },
        { type: "tool_use", id: "c", name: "Write", input: { path: "/r/a" } },
      ],
    },
  ];
  const cursor = lines(...talk.map(({ role, content }) => ({ role, message: { content } })));
  const droid = lines(
    { type: "session_start", id: "s" },
    ...talk.map((message) => ({ type: "message", timestamp: at, message })),
    { type: "todo_state", todos: [] },
  );
  for (const [agent, content, line] of [
    ["Cursor", cursor, 0],
    ["Factory AI Droid", droid, 1],
  ] as const) {
    const { facts, compact } = await read(agent, content);
    expect(prompts(facts)).toEqual([[line, "make a"]]);
    // neither tells tokens in its lines: none are claimed
    expect(facts).toMatchObject({ editedPaths: ["/r/a"], open: true, tokens: { calls: 0 } });
    expect(shape(compact)).toMatchObject([[{ text: "make a" }], [{ text: "Creating." }, { name: "Write" }]]);
  }
});

const agents = ["claude", "codex", "copilot", "cursor", "droid", "gemini", "opencode", "pi"];
const names = [
  ...["type", "payload", "message", "data", "info", "parts", "content", "role", "usage", "tokens"],
  ...["messages", "toolCalls", "user", "assistant", "gemini", "token_count", "id", "state"],
];

test.each(agents)("no JSON makes reading %s throw, or count below nothing", async (agent) => {
  const word = fc.constantFrom(...names);
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      word,
      fc.constantFrom(null, -5, 1e308, "", true),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(word, tie("value"), { maxKeys: 4 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 6 }), async (values) => {
      const content = Buffer.from(values.map((one) => `${JSON.stringify(one)}\n`).join(""));
      const { facts } = await read(agent, content);
      expect(Math.min(...Object.values(facts.tokens))).toBeGreaterThanOrEqual(0);
    }),
  );
});
