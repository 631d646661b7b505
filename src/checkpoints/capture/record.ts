import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { sessionKey } from "../../authorship/note/keys.ts";
import type { Oid } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";
import {
  emptyFacts,
  type TranscriptFacts,
  type TranscriptTokens,
} from "../../transcripts/scan/transcript-facts.ts";

/**
 * How far a session's transcript has been taken over, and what was learnt from it (docs/formats/capture.md). Lies at
 * `<common git dir>/keyframe/capture/<session key>/record.json`, beside the redacted transcript.
 */
export interface CaptureRecord {
  readonly version: 1;
  readonly agent: AgentId;
  /** Where the agent writes; never leaves this machine. */
  readonly transcriptPath: string;
  /** Part of the redacted file's name; a transcript that was rewritten begins a new one. */
  readonly generation: number;
  /** Bytes of the agent's file that were taken, and a digest of the last of them: a file that was rewritten shows. */
  readonly rawBytes: number;
  readonly rawMark: string;
  readonly redactedBytes: number;
  /** State of the SHA-256 over the redacted bytes. */
  readonly redactedHash: string;
  /** True where the last line has no newline yet. */
  readonly unterminated: boolean;
  /** True for a transcript that is one JSON document: taken over whole each time. */
  readonly document: boolean;
  /** Of the rules that redacted it. */
  readonly fingerprint: string;
  readonly facts: TranscriptFacts;
  /** Chunks that the object database holds: every one but the last will stay as it is. */
  readonly chunks: readonly { readonly offsetBytes: number; readonly oid: Oid }[];
  /** Tokens up to the last checkpoint. */
  readonly tokensAtStart: TranscriptTokens;
  /** The checkpoint that they were last counted for, so that they are counted once; empty before the first. */
  readonly countedFor: string;
}

export function captureFolder(repository: Repository, agent: Pick<AgentId, "tool" | "id">): string {
  return join(repository.commonDir, "keyframe", "capture", sessionKey(agent));
}

export function redactedPath(
  repository: Repository,
  { agent, generation }: Pick<CaptureRecord, "agent" | "generation">,
): string {
  return join(captureFolder(repository, agent), `transcript-${generation}.jsonl`);
}

export function emptyCapture(agent: AgentId, transcriptPath: string): CaptureRecord {
  return {
    version: 1,
    agent,
    transcriptPath,
    generation: 1,
    rawBytes: 0,
    rawMark: "",
    redactedBytes: 0,
    redactedHash: "",
    unterminated: false,
    document: false,
    fingerprint: "",
    facts: emptyFacts(),
    chunks: [],
    tokensAtStart: emptyFacts().tokens,
    countedFor: "",
  };
}

/** Undefined if nothing was taken over yet, or the record is damaged: the transcript is then taken over anew. */
export function readCapture(
  repository: Repository,
  files: Files,
  agent: Pick<AgentId, "tool" | "id">,
): CaptureRecord | undefined {
  const bytes = files.readIfExists(recordPath(repository, agent));
  const record = bytes === undefined ? undefined : parseRecordLine(bytes);
  if (record === undefined || record["version"] !== 1) return undefined;
  // the sum has been checked: the record is as writeCapture wrote it
  return record as unknown as CaptureRecord;
}

/** Durable when it returns. */
export function writeCapture(repository: Repository, files: Files, record: CaptureRecord): void {
  files.makeFolder(captureFolder(repository, record.agent));
  files.replace(recordPath(repository, record.agent), encodeRecordLine(record), { mode: 0o600 });
}

function recordPath(repository: Repository, agent: Pick<AgentId, "tool" | "id">): string {
  return join(captureFolder(repository, agent), "record.json");
}
