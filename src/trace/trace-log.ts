import type { Repository } from "../git/repository.ts";
import type { Files } from "../system/files/files.ts";
import { appendToRing, readRing } from "../system/files/line-ring.ts";
import { type ProcessIdentity, parseProcessIdentity } from "../system/process/process-table.ts";
import type { TraceRow } from "../system/trace.ts";

/** One run of a command or hook (docs/formats/trace.md). */
export interface TraceRecord {
  readonly version: 1;
  /** Equal for all lines of one run: a long one writes what it knows on its way, and the last line counts. */
  readonly run: string;
  /** When it began, milliseconds since 1970. */
  readonly at: number;
  /** `cut off`: it gave up at its own time limit. */
  readonly state: "running" | "done" | "failed" | "cut off";
  /** Of a running one: who it is, so that a killed one is told from one at work. */
  readonly process?: ProcessIdentity;
  readonly root: TraceRow;
}

/** Records of runs: about the last four thousand hooks. */
const limits = { maxFileBytes: 256 * 1024, maxFiles: 4 };

/**
 * Keeps a record, in a repository that Keyframe has something of already: reading elsewhere leaves no trace. Never
 * throws and never waits: no command fails or stops for it.
 */
export function recordTrace(repository: Repository, files: Files, record: TraceRecord): void {
  try {
    if (files.statIfExists(`${repository.commonDir}/keyframe`)?.kind !== "folder") return;
    appendToRing(files, traceFolder(repository), encodeRecord(record), limits);
  } catch {
    // a full disk, or a directory that may not be written: the run matters, not its record
  }
}

/** One record a run, oldest first; lines that are not whole are left out. */
export function readTraces(repository: Repository, files: Files): TraceRecord[] {
  const runs = new Map<string, TraceRecord>();
  for (const line of readRing(files, traceFolder(repository), limits)) {
    const record = parseRecord(line);
    if (record !== undefined) runs.set(record.run, record);
  }
  return [...runs.values()].sort((a, b) => a.at - b.at);
}

export function traceFolder(repository: Repository): string {
  return `${repository.commonDir}/keyframe/trace`;
}

/** Times in hundredths of a millisecond; rows as arrays, since a record holds many. */
function encodeRecord({ root, ...facts }: TraceRecord): string {
  return JSON.stringify({ ...facts, root: encodeRow(root) });
}

type EncodedRow = readonly [string, number, number, number, number, number, 0 | 1, readonly EncodedRow[]];

function encodeRow({ name, count, failed, totalMs, maxMs, selfMs, alongside, rows }: TraceRow): EncodedRow {
  const time = (ms: number) => Math.round(ms * 100);
  return [
    name,
    count,
    failed,
    time(totalMs),
    time(maxMs),
    time(selfMs),
    alongside ? 1 : 0,
    rows.map(encodeRow),
  ];
}

function parseRecord(line: string): TraceRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // torn, or the cut first line of an overlong file
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { version, run, at, state, process, root } = value as Record<string, unknown>;
  const row = parseRow(root, 0);
  if (version !== 1 || typeof run !== "string" || typeof at !== "number" || row === undefined)
    return undefined;
  if (state !== "running" && state !== "done" && state !== "failed" && state !== "cut off") return undefined;
  const identity = parseProcessIdentity(process);
  return { version, run, at, state, root: row, ...(identity === undefined ? {} : { process: identity }) };
}

const maxDepth = 64;

function parseRow(value: unknown, depth: number): TraceRow | undefined {
  if (!Array.isArray(value) || depth > maxDepth) return undefined;
  const [name, count, failed, total, max, self, alongside, rows] = value as unknown[];
  const numbers = [count, failed, total, max, self];
  if (typeof name !== "string" || !numbers.every((number) => typeof number === "number")) return undefined;
  const [known = 0, bad = 0, totalTime = 0, maxTime = 0, selfTime = 0] = numbers as number[];
  return {
    name,
    count: known,
    failed: bad,
    totalMs: totalTime / 100,
    maxMs: maxTime / 100,
    selfMs: selfTime / 100,
    alongside: alongside === 1,
    rows: (Array.isArray(rows) ? rows : []).flatMap((row) => parseRow(row, depth + 1) ?? []),
  };
}
