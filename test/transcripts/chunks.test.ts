import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Chunk, cutTranscript, joinChunks } from "../../src/transcripts/chunks.ts";
import { cutMessages, isMessageDocument, joinMessages } from "../../src/transcripts/message-chunks.ts";

async function* pieces(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function cut(content: Buffer, targetBytes: number, pieceBytes = 7, offsetBytes = 0): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of cutTranscript(pieces(content, pieceBytes), { targetBytes, offsetBytes }))
    chunks.push(chunk);
  return chunks;
}

async function join(chunks: readonly Buffer[]): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of joinChunks(chunks.map((chunk) => pieces(chunk, 5)))) all.push(piece);
  return Buffer.concat(all);
}

const transcript = fc
  .array(
    fc.string({ maxLength: 30 }).map((text) => text.replaceAll("\n", " ")),
    { maxLength: 40 },
  )
  .chain((lines) => fc.boolean().map((ends) => Buffer.from(lines.join("\n") + (ends ? "\n" : ""))));

describe("cutting a transcript", () => {
  test("joined by newlines, the chunks are the transcript again", async () => {
    await fc.assert(
      fc.asyncProperty(
        transcript,
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 50 }),
        async (content, target, size) => {
          const chunks = await cut(content, target, size);
          expect((await join(chunks.map(({ bytes }) => bytes))).equals(content)).toBe(true);
        },
      ),
    );
  });

  test("when it grows, every chunk but the last stays as it was", async () => {
    await fc.assert(
      fc.asyncProperty(
        transcript,
        transcript,
        fc.integer({ min: 1, max: 60 }),
        async (before, added, target) => {
          const grown = Buffer.concat([
            before,
            before.length > 0 && before.at(-1) !== 10 ? Buffer.from("\n") : Buffer.alloc(0),
            added,
          ]);
          const [old, now] = [await cut(before, target), await cut(grown, target)];
          expect(now.length).toBeGreaterThanOrEqual(old.length);
          for (const [index, chunk] of old.slice(0, -1).entries())
            expect(now[index]?.bytes.equals(chunk.bytes)).toBe(true);
        },
      ),
    );
  });

  test("cutting again from where any chunk starts gives the same chunks", async () => {
    await fc.assert(
      fc.asyncProperty(transcript, fc.integer({ min: 1, max: 60 }), async (content, target) => {
        const chunks = await cut(content, target);
        for (const [index, { offsetBytes }] of chunks.entries()) {
          const again = await cut(content.subarray(offsetBytes), target, 11, offsetBytes);
          expect(again).toEqual(chunks.slice(index));
        }
      }),
    );
  });

  test("a chunk ends at the first line end at or after the target, and one file is enough for a small transcript", async () => {
    const sizes = async (text: string) =>
      (await cut(Buffer.from(text), 10)).map(({ bytes }) => bytes.toString());
    expect(await sizes("")).toEqual([]);
    expect(await sizes("12345\n")).toEqual(["12345\n"]);
    expect(await sizes("12345\n123\n123\n")).toEqual(["12345\n123", "123\n"]);
    expect(await sizes("12345678901234\nx")).toEqual(["12345678901234", "x"]);
  });
});

describe("cutting a document with messages", () => {
  test("gives documents that join to the same messages, each within the limit", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 30 }), (texts) => {
        const document = Buffer.from(
          JSON.stringify({ sessionId: "s", messages: texts.map((text) => ({ text })) }),
        );
        const chunks = cutMessages(document, 400);
        for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(400);
        expect(JSON.parse(joinMessages(chunks).toString())).toEqual(JSON.parse(document.toString()));
      }),
    );
  });

  test("a document within the limit keeps its bytes, and a message beyond it is refused", () => {
    const document = Buffer.from('{ "messages": [ {"text":"x"} ] }\n');
    expect(cutMessages(document, 400)).toEqual([document]);
    const large = Buffer.from(JSON.stringify({ messages: [{ text: "x".repeat(500) }] }));
    expect(() => cutMessages(large, 400)).toThrow(/cannot be stored/);
  });

  test("lines of JSON are not taken for a document", () => {
    expect(isMessageDocument(Buffer.from('{"messages": ['))).toBe(true);
    expect(isMessageDocument(Buffer.from('{\n  "messages": ['))).toBe(true);
    expect(isMessageDocument(Buffer.from('{"type":"user"}\n{"type":"assistant"}\n'))).toBe(false);
    expect(isMessageDocument(Buffer.from('{"sessionId":"s"}\n{"type":"user"}\n'))).toBe(false);
  });
});
