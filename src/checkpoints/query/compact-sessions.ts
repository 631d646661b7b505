import { createHash, type Hash } from "node:crypto";
import { registryNameOf } from "../../transcripts/agent-names.ts";
import { lineCompactorOf } from "../../transcripts/compact/agents.ts";
import { type CompactLine, encodeCompactLine } from "../../transcripts/compact/compact-line.ts";
import { type Compactor, createCompactor } from "../../transcripts/compact/compactor.ts";
import { transcriptLines } from "../../transcripts/document-lines.ts";
import { maxChunkBytes } from "../../transcripts/limits.ts";

/** The compact transcript of one stored version of a session. */
export interface CompactVersion {
  /** Undefined: nothing in it can be shown, or it would be too large to store. */
  readonly bytes: Buffer | undefined;
  compactLineOf(rawLine: number): number;
  rawLineOf(compactLine: number): number;
}

export interface CompactRequest {
  readonly sessionId: string;
  readonly agent: string;
  readonly cliVersion: string;
  /** Gives the raw transcript from its start; may be called a second time. */
  open(): AsyncIterable<Buffer>;
}

/**
 * Compacts versions of sessions, oldest first. A version that begins with the bytes of the version before costs a
 * digest of these and the compaction of what was added.
 */
export interface SessionCompactors {
  /** Undefined: the transcript's format is not known. */
  compact(request: CompactRequest): Promise<CompactVersion | undefined>;
}

interface Progress {
  readonly compactor: Compactor;
  readonly origin: string;
  readonly hash: Hash;
  rawBytes: number;
  digest: string;
  /** Encoded complete lines. */
  pieces: Buffer[];
  compactBytes: number;
}

/** Compact bytes of unfinished sessions that are kept, so that memory stays flat over any number of them. */
const maxKeptBytes = 48 * 1024 * 1024;

export function createSessionCompactors(): SessionCompactors {
  const kept = new Map<string, Progress>();
  return {
    async compact(request) {
      const lineCompactor = lineCompactorOf(request.agent);
      if (lineCompactor === undefined) return undefined;
      const known = kept.get(request.sessionId);
      kept.delete(request.sessionId);
      const continued = known === undefined ? undefined : await continueFrom(known, request);
      const progress =
        continued ??
        (await feed(
          begin(request, createCompactor(lineCompactor)),
          request,
          transcriptLines(request.open()),
        ));
      const version = finish(progress, request);
      kept.set(request.sessionId, progress);
      trim(kept);
      return version;
    },
  };
}

function begin(request: CompactRequest, compactor: Compactor): Progress {
  const origin = `${request.agent} ${request.cliVersion}`;
  return {
    compactor,
    origin,
    hash: createHash("sha1"),
    rawBytes: 0,
    digest: "",
    pieces: [],
    compactBytes: 0,
  };
}

async function feed(
  progress: Progress,
  request: CompactRequest,
  content: AsyncIterable<Buffer>,
): Promise<Progress> {
  for await (const piece of content) {
    progress.hash.update(piece);
    progress.rawBytes += piece.length;
    progress.compactor.push(piece);
    keep(progress, encodeLines(progress.compactor.take(), request));
  }
  progress.digest = progress.hash.copy().digest("hex");
  return progress;
}

/** Goes on where the version before ended, if this one begins with its bytes and follows with a new line. */
async function continueFrom(known: Progress, request: CompactRequest): Promise<Progress | undefined> {
  if (known.origin !== `${request.agent} ${request.cliVersion}`) return undefined;
  const check = createHash("sha1");
  const content = transcriptLines(request.open())[Symbol.asyncIterator]();
  let left = known.rawBytes;
  let rest: Buffer | undefined;
  while (left > 0) {
    const next = await content.next();
    if (next.done === true) return undefined;
    check.update(next.value.subarray(0, left));
    if (next.value.length > left) rest = next.value.subarray(left);
    left -= Math.min(left, next.value.length);
  }
  if (check.digest("hex") !== known.digest) return undefined;
  if (rest === undefined) {
    const next = await content.next();
    if (next.done === true) return known;
    rest = next.value;
  }
  // the last line had no end yet: it may have been only the beginning of one
  if (known.compactor.endedMidLine && rest[0] !== 0x0a) return undefined;
  return feed(known, request, resume(rest, content));
}

async function* resume(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function finish(progress: Progress, request: CompactRequest): CompactVersion {
  const { compactor } = progress;
  compactor.endLine();
  keep(progress, encodeLines(compactor.take(), request));
  const open = compactor.open();
  const bytes = Buffer.concat([...progress.pieces, encodeLines(open === undefined ? [] : [open], request)]);
  return {
    bytes: bytes.length === 0 || bytes.length > maxChunkBytes ? undefined : bytes,
    compactLineOf: (line) => compactor.compactLineOf(line),
    rawLineOf: (line) => compactor.rawLineOf(line),
  };
}

function keep(progress: Progress, bytes: Buffer): void {
  if (bytes.length === 0) return;
  progress.pieces.push(bytes);
  progress.compactBytes += bytes.length;
  if (progress.pieces.length > 64) progress.pieces = [Buffer.concat(progress.pieces)];
}

function encodeLines(lines: readonly CompactLine[], { agent, cliVersion }: CompactRequest): Buffer {
  const origin = { agent: registryNameOf(agent), cliVersion };
  return Buffer.from(lines.map((line) => encodeCompactLine(line, origin)).join(""));
}

function trim(kept: Map<string, Progress>): void {
  let total = 0;
  for (const { compactBytes } of kept.values()) total += compactBytes;
  for (const [sessionId, { compactBytes }] of kept) {
    if (total <= maxKeptBytes) return;
    kept.delete(sessionId);
    total -= compactBytes;
  }
}
