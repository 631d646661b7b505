import { expect, test } from "vitest";
import { keepLines, saidTexts } from "../../../../src/checkpoints/query/search/said-lines.ts";
import { maxTranscriptLineBytes } from "../../../../src/transcripts/limits.ts";

async function* inPieces(content: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < content.length; from += pieceBytes)
    yield content.subarray(from, from + pieceBytes);
}

const wanted = (line: string) => line.includes("yes");

test("the lines that are wanted are kept to the byte, however the content comes", async () => {
  const content = Buffer.from("no 1\nyes ä 2\nyes 3\n\nno 4\nno 5\nyes 6\nyes without an end");
  for (const pieceBytes of [1, 2, 3, 7, 20, 1000]) {
    const kept = await keepLines(inPieces(content, pieceBytes), wanted);
    expect(kept.toString(), `${pieceBytes}`).toBe("yes ä 2\nyes 3\nyes 6\nyes without an end\n");
  }
  expect(await keepLines(inPieces(Buffer.alloc(0), 1), wanted)).toHaveLength(0);
});

test("a line that is too long to be parsed is left out, and the next one is not", async () => {
  const content = Buffer.from(`yes ${"x".repeat(maxTranscriptLineBytes)}\nyes 2\n`);
  for (const pieceBytes of [65_536, content.length])
    expect((await keepLines(inPieces(content, pieceBytes), wanted)).toString()).toBe("yes 2\n");
});

test("some lines of a conversation say what they say in all of it", () => {
  const line = (type: string, content: unknown) =>
    `${JSON.stringify({ type, message: { id: "m", role: type, content } })}\n`;
  const lines = [
    line("user", "please"),
    line("assistant", [{ type: "text", text: "at once" }]),
    line("assistant", [{ type: "tool_use", id: "t", name: "Edit", input: { file_path: "a.ts" } }]),
  ];
  const texts = saidTexts("Claude Code", Buffer.from(lines.join("")));
  expect(texts).toEqual([
    { kind: "user", text: "please" },
    { kind: "assistant", text: "at once" },
    { kind: "tool", text: 'Edit {"file_path":"a.ts"}' },
  ]);
  expect(lines.flatMap((one) => saidTexts("Claude Code", Buffer.from(one)))).toEqual(texts);
  expect(saidTexts("an agent that nobody knows", Buffer.from(lines[0] ?? ""))).toEqual([]);
});
