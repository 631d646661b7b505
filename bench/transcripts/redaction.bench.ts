import { sha256Hex } from "../../src/base/digest.ts";
import { createRedactor } from "../../src/transcripts/redaction/redaction.ts";
import { generateTranscript } from "../../test/support/generate-checkpoints.ts";
import type { BenchResult } from "../bench-result.ts";

const blockBytes = 1024 * 1024;

/** One core, a whole transcript and then only what a turn adds to it. */
export async function run({ tiny }: { tiny: boolean }): Promise<BenchResult[]> {
  const wantedBytes = tiny ? 500_000 : 60_000_000;
  const part = generateTranscript(1, 400);
  const transcript = Buffer.concat(Array.from({ length: Math.ceil(wantedBytes / part.length) }, () => part));
  const tail = generateTranscript(2, 20);
  const redactor = createRedactor();
  redactAll(redactor, transcript.subarray(0, 2_000_000));
  const [whole, wholeMs] = timed(() => redactAll(redactor, transcript));
  const [end, tailMs] = timed(() => redactAll(redactor, tail));
  const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;
  return [
    {
      name: `redact ${megabytes(transcript.length)} MB of transcript`,
      value: transcript.length / 1000 / wholeMs,
      unit: "MB/s",
      resultHash: whole,
    },
    {
      name: `redact only a new tail of ${megabytes(tail.length)} MB`,
      value: tailMs,
      unit: "ms",
      resultHash: end,
    },
  ];
}

function redactAll(redactor: ReturnType<typeof createRedactor>, content: Buffer): string {
  const digests: string[] = [];
  for (let from = 0; from < content.length; ) {
    const newline = content.indexOf(0x0a, Math.min(content.length, from + blockBytes));
    const end = newline === -1 ? content.length : newline + 1;
    digests.push(String(redactor.redactLines(content.subarray(from, end)).length));
    from = end;
  }
  return sha256Hex(digests.join(" ")).slice(0, 16);
}

function timed<T>(work: () => T): [T, number] {
  const start = performance.now();
  const result = work();
  return [result, performance.now() - start];
}
