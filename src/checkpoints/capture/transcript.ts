import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { sha256Hex } from "../../base/digest.ts";
import { resumeSha256, startSha256 } from "../../base/resumable-sha256.ts";
import type { Repository } from "../../git/repository.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { acquireLock, type LockDeps } from "../../system/locks/lock-file.ts";
import type { Trace } from "../../system/trace.ts";
import { transcriptLines } from "../../transcripts/document-lines.ts";
import { maxTranscriptLineBytes } from "../../transcripts/limits.ts";
import { isMessageDocument } from "../../transcripts/message-chunks.ts";
import { type Redactor, redactStream } from "../../transcripts/redaction/redaction.ts";
import { emptyFacts } from "../../transcripts/scan/transcript-facts.ts";
import { scanTranscriptLine } from "../../transcripts/scan/transcript-scan.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";
import {
  type CaptureRecord,
  captureFolder,
  emptyCapture,
  readCapture,
  redactedPath,
  writeCapture,
} from "./record.ts";
import { checkTranscriptShape, hasTranscript } from "./transcript-file.ts";

export interface CaptureDeps extends LockDeps {
  readonly redactor: Redactor;
  readonly trace: Trace;
}

/** For what also writes checkpoints. */
export interface StoringDeps extends CaptureDeps {
  /** Where new ones go; one that is stored already stays where it is. */
  readonly store: StoreKind;
}

const captureLockTimeoutMs = 15_000;
/** So many of the last bytes that were taken tell whether the file is still the one that grew. */
const markBytes = 4096;

/**
 * Takes over what is new in a session's transcript: redacted, appended to our copy, durable. Costs what is new. Only
 * whole lines are taken, so an agent that is still writing is met again at the next event; a file that was cut or
 * rewritten is taken over anew. Undefined: there is no transcript. A failure to redact stores nothing.
 * @throws KeyframeError `refused` for a file that is no transcript of this agent, or not the user's
 */
export async function captureTranscript(
  deps: CaptureDeps,
  repository: Repository,
  session: { readonly agent: AgentId; readonly transcriptPath: string },
): Promise<CaptureRecord | undefined> {
  if (!hasTranscript(session.transcriptPath, deps.files)) return undefined;
  const take = async (stored: CaptureRecord | undefined) => {
    const known = stored ?? emptyCapture(session.agent, session.transcriptPath);
    const from = startingPoint(deps, repository, { known, path: session.transcriptPath });
    const next = from.document
      ? await takeDocument(deps, repository, from)
      : await takeLines(deps, repository, from);
    return { ...next, agent: mergeAgent(known.agent, session.agent, next.facts.model) };
  };
  return deps.trace.span("redact", () => withCapture(deps, repository, session.agent, take));
}

/** Changes a session's capture record while no other process does; undefined leaves it. */
export async function withCapture(
  deps: LockDeps,
  repository: Repository,
  agent: Pick<AgentId, "tool" | "id">,
  change: (
    stored: CaptureRecord | undefined,
  ) => Promise<CaptureRecord | undefined> | CaptureRecord | undefined,
): Promise<CaptureRecord | undefined> {
  const folder = captureFolder(repository, agent);
  deps.files.makeFolder(folder);
  const options = { timeoutMs: captureLockTimeoutMs, onTakeover: () => undefined };
  const release = acquireLock(deps, join(folder, "lock"), options);
  try {
    const stored = readCapture(repository, deps.files, agent);
    const next = await change(stored);
    if (next !== undefined && JSON.stringify(next) !== JSON.stringify(stored))
      writeCapture(repository, deps.files, next);
    return next ?? stored;
  } finally {
    release();
  }
}

function mergeAgent(known: AgentId, now: AgentId, seen: string | undefined): AgentId {
  const model = seen ?? (now.model === "unknown" ? known.model : now.model);
  return { tool: now.tool, id: now.id, model };
}

/** Where to go on: behind what was taken, or at the start of a new copy. */
function startingPoint(
  { files, redactor }: CaptureDeps,
  repository: Repository,
  { known, path }: { readonly known: CaptureRecord; readonly path: string },
): CaptureRecord {
  const sizeBytes = files.statTargetIfExists(path)?.sizeBytes ?? 0;
  const isNew = known.rawBytes === 0;
  const continues =
    !isNew &&
    (!known.document || sizeBytes === known.rawBytes) &&
    known.fingerprint === redactor.fingerprint &&
    sizeBytes >= known.rawBytes &&
    markAt(files, path, known.rawBytes) === known.rawMark;
  if (continues) return { ...known, transcriptPath: path };
  checkTranscriptShape(known.agent.tool, path, files);
  const document = isMessageDocument(firstBytes(files, path));
  const generation = isNew ? known.generation : known.generation + 1;
  // the copy before stays, for a commit that is being made with it
  files.remove(redactedPath(repository, { agent: known.agent, generation: generation - 2 }));
  const { agent, tokensAtStart, countedFor } = known;
  return {
    ...emptyCapture(agent, path),
    generation,
    document,
    tokensAtStart,
    countedFor,
    fingerprint: redactor.fingerprint,
  };
}

function firstBytes(files: Files, path: string): Buffer {
  for (const chunk of files.readChunks(path, { chunkBytes: 64 * 1024 })) return Buffer.from(chunk);
  return Buffer.alloc(0);
}

/** Digest of the bytes just before an offset. */
export function markAt(files: Files, path: string, offsetBytes: number): string {
  const from = Math.max(0, offsetBytes - markBytes);
  for (const chunk of files.readChunks(path, { offsetBytes: from, chunkBytes: markBytes })) {
    return sha256Hex(chunk.subarray(0, offsetBytes - from)).slice(0, 32);
  }
  return sha256Hex("").slice(0, 32);
}

async function takeLines(
  { files, redactor }: CaptureDeps,
  repository: Repository,
  from: CaptureRecord,
): Promise<CaptureRecord> {
  const end = endOfWholeLines(files, from);
  if (end.offsetBytes <= from.rawBytes) return from;
  const target = redactedPath(repository, from);
  const hash = (from.redactedHash === "" ? undefined : resumeSha256(from.redactedHash)) ?? startSha256();
  const facts = structuredClone(from.facts);
  let { redactedBytes } = from;
  // the newline of a line that was taken without one
  let isContinuation = from.unterminated;
  const raw = bytesBetween(files, from.transcriptPath, from.rawBytes, end.offsetBytes);
  for await (const block of redactStream(redactor, raw)) {
    // written at its place: what a killed process left behind there is written over
    files.writeAt(target, block, { offsetBytes: redactedBytes, mode: 0o600 });
    redactedBytes += block.length;
    hash.update(block);
    for (let start = 0; start < block.length; ) {
      const newline = block.indexOf(0x0a, start);
      const stop = newline === -1 ? block.length : newline;
      if (isContinuation) isContinuation = false;
      else scanTranscriptLine(from.agent.tool, block.subarray(start, stop), facts);
      start = stop + 1;
    }
  }
  fault("capture:after-transcript-before-record");
  return {
    ...from,
    rawBytes: end.offsetBytes,
    rawMark: markAt(files, from.transcriptPath, end.offsetBytes),
    redactedBytes,
    redactedHash: hash.save(),
    unterminated: end.unterminated,
    facts,
  };
}

/**
 * Up to where whole lines go. A last line without newline is whole if it is a JSON object: an agent that never writes
 * the last newline would otherwise keep its last word to itself.
 */
function endOfWholeLines(
  files: Files,
  { transcriptPath, rawBytes, unterminated }: CaptureRecord,
): { readonly offsetBytes: number; readonly unterminated: boolean } {
  const sizeBytes = files.statTargetIfExists(transcriptPath)?.sizeBytes ?? 0;
  const none = { offsetBytes: rawBytes, unterminated };
  if (sizeBytes <= rawBytes) return none;
  const tail = files.readTail(transcriptPath, Math.min(sizeBytes - rawBytes, maxTranscriptLineBytes + 1));
  const lastNewline = tail.lastIndexOf(0x0a);
  const rest = tail.subarray(lastNewline + 1);
  const endBytes = sizeBytes - rest.length;
  if (rest.length === 0) return { offsetBytes: endBytes, unterminated: false };
  if (rest.length <= maxTranscriptLineBytes && !(unterminated && lastNewline === -1) && isJsonObject(rest))
    return { offsetBytes: sizeBytes, unterminated: true };
  return lastNewline === -1 ? none : { offsetBytes: endBytes, unterminated: false };
}

function isJsonObject(bytes: Buffer): boolean {
  if (bytes[0] !== 0x7b || bytes.at(-1) !== 0x7d) return false;
  try {
    JSON.parse(bytes.toString("utf8"));
    return true;
  } catch {
    return false; // still being written
  }
}

// redaction is made for streams that arrive in time; a file's pieces are there at once
async function* bytesBetween(files: Files, path: string, from: number, to: number): AsyncGenerator<Buffer> {
  let left = to - from;
  for (const chunk of files.readChunks(path, { offsetBytes: from })) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

async function takeDocument(
  { files, redactor }: CaptureDeps,
  repository: Repository,
  from: CaptureRecord,
): Promise<CaptureRecord> {
  if (from.rawBytes > 0) return from;
  const bytes = files.read(from.transcriptPath);
  const hash = startSha256();
  const blocks: Buffer[] = [];
  let redactedBytes = 0;
  for await (const block of redactStream(
    redactor,
    bytesBetween(files, from.transcriptPath, 0, bytes.length),
  )) {
    files.writeAt(redactedPath(repository, from), block, { offsetBytes: redactedBytes, mode: 0o600 });
    redactedBytes += block.length;
    hash.update(block);
    blocks.push(block);
  }
  const facts = emptyFacts();
  for await (const message of transcriptLines(piecesOf(blocks)))
    scanTranscriptLine(from.agent.tool, message.subarray(0, -1), facts);
  return {
    ...from,
    rawBytes: bytes.length,
    rawMark: markAt(files, from.transcriptPath, bytes.length),
    redactedBytes,
    redactedHash: hash.save(),
    facts,
  };
}

async function* piecesOf(blocks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* blocks;
}
