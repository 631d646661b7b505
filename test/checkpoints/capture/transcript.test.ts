import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CaptureRecord, redactedPath } from "../../../src/checkpoints/capture/record.ts";
import { captureTranscript } from "../../../src/checkpoints/capture/transcript.ts";
import { nodeClock } from "../../../src/system/clock.ts";
import { type Files, nodeFiles } from "../../../src/system/files/files.ts";
import { nodeProcessTable } from "../../../src/system/process/process-table.ts";
import { noTrace } from "../../../src/system/trace.ts";
import { createRedactor } from "../../../src/transcripts/redaction/redaction.ts";

const agent = { tool: "claude", id: "t-1", model: "m" };
let folder: string;
let transcript: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kf-capture-"));
  transcript = join(folder, "conversation.jsonl");
  writeFileSync(transcript, "");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const repository = () => ({ workTree: folder, gitDir: folder, commonDir: folder });
async function capture(files: Files = nodeFiles): Promise<CaptureRecord> {
  const deps = {
    files,
    clock: nodeClock,
    processTable: nodeProcessTable,
    trace: noTrace,
    redactor: createRedactor(),
  };
  const record = await captureTranscript(deps, repository(), { agent, transcriptPath: transcript });
  if (record === undefined) throw new Error("nothing was taken over");
  return record;
}
const stored = (record: CaptureRecord) =>
  readFileSync(redactedPath(repository(), record)).subarray(0, record.redactedBytes).toString();
const line = (value: object) => `${JSON.stringify(value)}\n`;
const prompt = (text: string) => line({ type: "user", message: { role: "user", content: text } });
const answer = (id: string, output: number, text = "ok") =>
  line({
    type: "assistant",
    message: {
      id,
      model: "m-2",
      content: [{ type: "text", text }],
      usage: { input_tokens: 3, output_tokens: output },
    },
  });

test("only what is new is read, redacted and written, and the whole has the digest of the whole", async () => {
  appendFileSync(transcript, prompt("first") + answer("a", 5).repeat(400));
  await capture();
  let readBytes = 0;
  let writtenBytes = 0;
  const watched: Files = {
    ...nodeFiles,
    *readChunks(path, options) {
      for (const chunk of nodeFiles.readChunks(path, options)) {
        if (path === transcript) readBytes += chunk.length;
        yield chunk;
      }
    },
    writeAt(path, content, options) {
      writtenBytes += content.length;
      nodeFiles.writeAt(path, content, options);
    },
  };
  const tail = prompt("token ghp_abcdefghijklmnopqrstuvwxyz0123456789");
  appendFileSync(transcript, tail);
  const record = await capture(watched);
  expect(readBytes).toBeLessThan(tail.length + 2 * 4096 + 1);
  expect(writtenBytes).toBeLessThan(tail.length + 1);
  const fresh = await import("node:crypto").then(({ createHash }) =>
    createHash("sha256").update(stored(record)).digest("hex"),
  );
  const { resumeSha256 } = await import("../../../src/base/resumable-sha256.ts");
  expect(resumeSha256(record.redactedHash)?.digest()).toBe(fresh);
  expect(stored(record)).not.toContain("ghp_");
  expect(record.facts).toMatchObject({ lines: 402, model: "m-2", open: true });
  expect(record.facts.prompts.map(({ line: at, text }) => [at, text])).toEqual([
    [0, "first"],
    [401, "token REDACTED"],
  ]);
});

test("a message that is written several times counts once, with its last tokens", async () => {
  appendFileSync(transcript, answer("a", 1) + answer("a", 9));
  await capture();
  appendFileSync(transcript, answer("a", 4) + answer("b", 2));
  expect((await capture()).facts.tokens).toEqual({
    input: 6,
    cacheCreation: 0,
    cacheRead: 0,
    output: 11,
    calls: 2,
  });
});

test("a line that is still being written waits; a whole last one without newline is taken", async () => {
  appendFileSync(transcript, prompt("one"));
  appendFileSync(transcript, '{"type":"user","mess');
  expect((await capture()).facts.lines).toBe(1);
  appendFileSync(transcript, 'age":{"content":"two"}}');
  const whole = await capture();
  expect([whole.facts.lines, whole.unterminated]).toEqual([2, true]);
  appendFileSync(transcript, `\n${prompt("three")}`);
  const record = await capture();
  expect(record.facts.prompts.map(({ line: at, text }) => [at, text])).toEqual([
    [0, "one"],
    [1, "two"],
    [2, "three"],
  ]);
  expect(stored(record)).toBe(readFileSync(transcript, "utf8"));
});

test("a file that was cut or rewritten is taken over anew, and keeps what was counted", async () => {
  appendFileSync(transcript, prompt("one") + prompt("two"));
  const before = await capture();
  writeFileSync(transcript, prompt("one"));
  const cut = await capture();
  expect([cut.generation, cut.facts.lines, stored(cut)]).toEqual([before.generation + 1, 1, prompt("one")]);
  writeFileSync(transcript, prompt("another").repeat(3));
  const rewritten = await capture();
  expect(stored(rewritten)).toBe(prompt("another").repeat(3));
  expect(await capture()).toEqual(rewritten);
});

test("a conversation that is one document is taken over whole when it changed, and not else", async () => {
  writeFileSync(
    transcript,
    JSON.stringify({ messages: [{ id: 1, content: "ghp_abcdefghijklmnopqrstuvwxyz0123456789" }] }),
  );
  const first = await capture();
  expect([first.document, stored(first).includes("REDACTED")]).toEqual([true, true]);
  expect(await capture()).toEqual(first);
  writeFileSync(transcript, JSON.stringify({ messages: [{ id: 1 }, { id: 2 }] }));
  expect(stored(await capture())).toBe(readFileSync(transcript, "utf8"));
});

test.each(["/etc/passwd", "relative.jsonl", "/tmp/x.jsonl\0"])("%j is no transcript", async (path) => {
  const deps = {
    files: nodeFiles,
    clock: nodeClock,
    processTable: nodeProcessTable,
    trace: noTrace,
    redactor: createRedactor(),
  };
  await expect(captureTranscript(deps, repository(), { agent, transcriptPath: path })).rejects.toMatchObject({
    code: "refused",
  });
});

test("a failure to redact stores nothing", async () => {
  appendFileSync(transcript, prompt("one"));
  const redactor = {
    ...createRedactor(),
    redactLines: (): Buffer => {
      throw new Error("cannot");
    },
  };
  const deps = {
    files: nodeFiles,
    clock: nodeClock,
    processTable: nodeProcessTable,
    trace: noTrace,
    redactor,
  };
  await expect(captureTranscript(deps, repository(), { agent, transcriptPath: transcript })).rejects.toThrow(
    "cannot",
  );
  expect((await capture()).facts.lines).toBe(1);
});
