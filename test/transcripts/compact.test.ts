// Covers src/transcripts/compact/**.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSessionCompactors } from "../../src/checkpoints/query/compact-sessions.ts";
import { registryNameOf } from "../../src/transcripts/agent-names.ts";
import { lineCompactorOf } from "../../src/transcripts/compact/agents.ts";
import { encodeCompactLine } from "../../src/transcripts/compact/compact-line.ts";
import { createCompactor } from "../../src/transcripts/compact/compactor.ts";
import { generateTranscript } from "../support/generate-checkpoints.ts";

const origin = { agent: "claude-code", cliVersion: "1.0" };

function compact(agent: string, content: Buffer, pieceBytes = content.length || 1) {
  const lineCompactor = lineCompactorOf(agent);
  if (lineCompactor === undefined) throw new Error(`no compactor for ${agent}`);
  const compactor = createCompactor(lineCompactor);
  for (let at = 0; at < content.length; at += pieceBytes)
    compactor.push(content.subarray(at, at + pieceBytes));
  compactor.endLine();
  const lines = compactor.take();
  const open = compactor.open();
  return { compactor, lines: open === undefined ? lines : [...lines, open] };
}

const text = (agent: string, content: Buffer, pieceBytes?: number) =>
  compact(agent, content, pieceBytes)
    .lines.map((line) => encodeCompactLine(line, origin))
    .join("");

const claude = generateTranscript(1, 4);
const claudeLines = claude.toString().trimEnd().split("\n");

describe("compacting a transcript", () => {
  test("keeps what was said and done, merges the parts of a message and drops what nobody reads", () => {
    const lines = compact("Claude Code", claude).lines;
    expect(lines).toHaveLength(8);
    expect(text("Claude Code", claude).split("\n")[1]).toBe(
      '{"v":1,"agent":"claude-code","cli_version":"1.0","type":"assistant","ts":"2026-01-01T00:00:02.000Z","id":"msg_1_0","input_tokens":5,"output_tokens":20,"content":[{"text":"I will change file 0","type":"text"},{"id":"toolu_1_0","input":{"file_path":"src/file-0.ts"},"name":"Edit","result":{"output":"ok","status":"success","file":{"filePath":"src/file-0.ts"}},"type":"tool_use"}]}',
    );
    expect(text("Claude Code", claude).split("\n")[0]).toContain("\\u003cb\\u003efile 0");
  });

  test("gives the same however the bytes arrive, with or without a last newline, and passes over what is not JSON", () => {
    const whole = text("Claude Code", claude);
    for (const size of [1, 7, 100, 4096]) expect(text("Claude Code", claude, size)).toBe(whole);
    expect(text("Claude Code", claude.subarray(0, -1))).toBe(whole);
    const torn = Buffer.from(
      claudeLines.flatMap((line) => ["not json", line, "[1]", '{"half":', ""]).join("\n"),
    );
    expect(text("Claude Code", torn)).toBe(whole);
  });

  test("knows for every raw line where a slice from there begins in the compact whole", () => {
    const { compactor, lines } = compact("Claude Code", claude);
    for (let start = 0; start <= claudeLines.length + 2; start += 1) {
      const slice = Buffer.from(claudeLines.slice(start).join("\n"));
      const inSlice = compact("Claude Code", slice).lines.length;
      const offset = compactor.compactLineOf(start);
      // rounds toward inclusion: at most the line that a cut goes through
      expect(lines.length - inSlice - offset, `raw line ${start}`).toBeGreaterThanOrEqual(0);
      expect(lines.length - inSlice - offset, `raw line ${start}`).toBeLessThanOrEqual(1);
      if (offset < lines.length) expect(compactor.compactLineOf(compactor.rawLineOf(offset))).toBe(offset);
    }
    expect(compactor.compactLineOf(10_000)).toBe(lines.length);
  });

  test("Codex: a call joins the message before it, its result only where it follows at once", () => {
    const item = (payload: object) =>
      JSON.stringify({ timestamp: "2026-01-01T00:00:00Z", type: "response_item", payload });
    const call = (id: string) =>
      item({ type: "function_call", name: "exec", arguments: '{"cmd":"ls"}', call_id: id });
    const output = (id: string) => item({ type: "function_call_output", call_id: id, output: `out ${id}` });
    const said = (role: string, type: string, text: string) =>
      item({ type: "message", role, content: [{ type, text }] });
    const lines = [
      said("user", "input_text", "<environment_context>\nx"),
      said("user", "input_text", " do it\n"),
      item({ type: "reasoning" }),
      said("assistant", "output_text", "ok "),
      call("a"),
      output("a"),
      call("b"),
      call("c"),
      output("b"),
      item({ type: "reasoning" }),
      call("d"),
    ];
    const shape = compact("codex", Buffer.from(lines.join("\n"))).lines.map(({ type, content }) => [
      type,
      ...content.map((block) =>
        "text" in block ? block["text"] : `${(block as { id: string }).id}${"result" in block ? "+" : ""}`,
      ),
    ]);
    expect(shape).toEqual([
      ["user", "do it"],
      ["assistant", "ok ", "a+", "b", "c"],
      ["assistant", "d"],
    ]);
  });

  test("Pi: a message is a line, and results of tools go to their calls", () => {
    const message = (id: string, message: object) =>
      JSON.stringify({ type: "message", id, timestamp: "2026-01-01T00:00:00Z", message });
    const content = [
      JSON.stringify({ type: "session", version: 3 }),
      message("1", { role: "user", content: [{ type: "text", text: " look " }] }),
      message("2", {
        role: "assistant",
        usage: { input: 3, output: 4 },
        content: [
          { type: "thinking", thinking: "..." },
          { type: "toolCall", id: "a", name: "bash", arguments: { command: "ls" } },
          { type: "toolCall", id: "b", name: "bash", arguments: {} },
        ],
      }),
      message("3", {
        role: "toolResult",
        toolCallId: "b",
        isError: true,
        content: [{ type: "text", text: "no" }],
      }),
      message("4", { role: "toolResult", toolCallId: "a", content: [{ type: "text", text: "yes" }] }),
      message("5", { role: "assistant", content: [{ type: "text", text: "done" }] }),
    ].join("\n");
    expect(compact("Pi", Buffer.from(content)).lines).toMatchObject([
      { type: "user", content: [{ text: "look" }] },
      {
        type: "assistant",
        inputTokens: 3,
        content: [
          { id: "a", result: { output: "yes", status: "success" } },
          { id: "b", result: { output: "no", status: "error" } },
        ],
      },
      { type: "assistant", content: [{ text: "done" }] },
    ]);
  });

  test("names agents as the registry does, and knows what it does not know", () => {
    expect(registryNameOf("Claude Code")).toBe("claude-code");
    expect(registryNameOf("Somebody")).toBe("Somebody");
    expect(lineCompactorOf("Somebody")).toBeUndefined();
  });
});

describe("compacting versions of a session", () => {
  const request = (content: Buffer) => ({
    sessionId: "s",
    agent: "Claude Code",
    cliVersion: "1.0",
    open: async function* () {
      for (let at = 0; at < content.length; at += 50) yield content.subarray(at, at + 50);
    },
  });

  test("a version that goes on gives what it gives from scratch, wherever the one before ended", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: claude.length }), { minLength: 1, maxLength: 5 }),
        async (ends) => {
          const compactors = createSessionCompactors();
          for (const end of [...ends].sort((a, b) => a - b)) {
            const content = claude.subarray(0, end);
            const version = await compactors.compact(request(content));
            expect((version?.bytes ?? Buffer.alloc(0)).toString()).toBe(text("Claude Code", content));
            expect(version?.compactLineOf(5)).toBe(
              compact("Claude Code", content).compactor.compactLineOf(5),
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a version that was rewritten is compacted anew", async () => {
    const compactors = createSessionCompactors();
    await compactors.compact(request(claude));
    const other = generateTranscript(2, 6);
    expect((await compactors.compact(request(other)))?.bytes?.toString()).toBe(text("Claude Code", other));
  });
});
