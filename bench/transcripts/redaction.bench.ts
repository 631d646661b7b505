import { sha256Hex } from "../../src/base/digest.ts";
import { createRedactor } from "../../src/transcripts/redaction/redaction.ts";
import { generateTranscript } from "../../test/support/generate-checkpoints.ts";
import { hasRealCheckpoints } from "../../test/support/real-checkpoints.ts";
import type { BenchResult } from "../bench-result.ts";
import { realTexts } from "../support/real-texts.ts";

const blockBytes = 1024 * 1024;

/**
 * A whole transcript, and then only what a turn adds to it. The floor reads the same lines as JSON and asks one pattern of
 * each. Figures are of processor time, block by block in turn, so that other work on the machine changes them little.
 */
export async function run({ tiny }: { tiny: boolean }): Promise<BenchResult[]> {
  const wantedBytes = tiny ? 500_000 : 60_000_000;
  const part = generateTranscript(1, 400);
  const transcript = Buffer.concat(Array.from({ length: Math.ceil(wantedBytes / part.length) }, () => part));
  const results = [measure("generated transcript", blocksOf(transcript))];
  if (hasRealCheckpoints && !tiny)
    results.push(measure("real transcripts", [...realTexts(wantedBytes)].flatMap(blocksOf)));
  return [...results, measureTail()];
}

function measure(name: string, blocks: readonly Buffer[]): BenchResult {
  const redactor = createRedactor();
  for (const block of blocks.slice(0, 2)) redactor.redactLines(block);
  const digests: string[] = [];
  let bytes = 0;
  let oursMs = 0;
  let floorMs = 0;
  for (const block of blocks) {
    bytes += block.length;
    const [redacted, ms] = timed(() => redactor.redactLines(block));
    const [lines, readMs] = timed(() => readLines(block));
    oursMs += ms;
    floorMs += readMs;
    digests.push(`${redacted.length} ${lines}`);
  }
  return {
    name: `redact ${Math.round(bytes / 1e5) / 10} MB of ${name}, over reading its JSON and one pattern`,
    value: bytes / 1000 / oursMs,
    floor: bytes / 1000 / floorMs,
    ratio: oursMs / floorMs,
    unit: "MB/s",
    resultHash: sha256Hex(digests.join("\n")).slice(0, 16),
  };
}

function measureTail(): BenchResult {
  const tail = generateTranscript(2, 20);
  const redactor = createRedactor();
  redactor.redactLines(generateTranscript(1, 400));
  const [redacted, ms] = timed(() => redactor.redactLines(tail));
  return {
    name: `redact only a new tail of ${Math.round(tail.length / 1e5) / 10} MB`,
    value: ms,
    unit: "ms",
    resultHash: sha256Hex(String(redacted.length)).slice(0, 16),
  };
}

/** Lines that are JSON and hold a word that few hold. */
function readLines(block: Buffer): number {
  let found = 0;
  for (const line of block.toString("utf8").split("\n")) {
    try {
      JSON.parse(line);
    } catch {
      continue; // source and prose are among the real texts
    }
    if (/\bpassphrase\b/.test(line)) found += 1;
  }
  return found;
}

function blocksOf(content: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let from = 0; from < content.length; ) {
    const newline = content.indexOf(0x0a, Math.min(content.length, from + blockBytes));
    const end = newline === -1 ? content.length : newline + 1;
    blocks.push(content.subarray(from, end));
    from = end;
  }
  return blocks;
}

/** Milliseconds of processor time. */
function timed<T>(work: () => T): [T, number] {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return [result, (user + system) / 1000];
}
