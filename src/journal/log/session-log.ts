import { dirname, join } from "node:path";
import { readLines } from "../../base/text/lines.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { maxEventLineBytes } from "../limits.ts";
import type { Evidence } from "../path-state.ts";
import { encodeRecordLine, parseRecordLine } from "../record-line.ts";

/** One line of `<common dir>/keyframe/sessions/<session key>.jsonl`: what leads from a line to its prompt. */
export type SessionRecord =
  | {
      readonly kind: "session";
      readonly at: number;
      readonly tool: string;
      readonly id: string;
      readonly model: string;
      readonly cwd: string;
      readonly transcriptPath?: string;
      readonly source?: string;
    }
  | { readonly kind: "prompt"; readonly at: number; readonly prompt: string; readonly model?: string }
  | {
      readonly kind: "edit";
      readonly at: number;
      /** `t_...` of the lines that it wrote. */
      readonly trace: string;
      readonly toolUseId: string;
      readonly toolName: string;
      readonly evidence: Evidence;
      readonly subagentId?: string;
      /** Where it was known by then. */
      readonly model?: string;
      /** Where it was not: the transcript that may name it later. */
      readonly transcriptPath?: string;
    }
  | {
      readonly kind: "turn-end" | "subagent-end" | "session-end";
      readonly at: number;
      readonly model?: string;
    };

/** Longest prompt that is kept, characters. */
const maxPromptLength = 100_000;

export function appendSessionRecord(
  repository: Repository,
  files: Files,
  { session, record }: { readonly session: string; readonly record: SessionRecord },
): void {
  const path = sessionLogPath(repository, session);
  const kept =
    record.kind === "prompt" ? { ...record, prompt: record.prompt.slice(0, maxPromptLength) } : record;
  try {
    files.append(path, encodeRecordLine(kept), { mode: 0o600 });
  } catch (error) {
    if (files.statIfExists(dirname(path)) !== undefined) throw error;
    files.makeFolder(dirname(path));
    files.append(path, encodeRecordLine(kept), { mode: 0o600 });
  }
}

/** In order; lines that are not whole are left out. */
export function* readSessionRecords(
  repository: Repository,
  files: Files,
  session: string,
): Generator<SessionRecord> {
  const path = sessionLogPath(repository, session);
  if (files.statIfExists(path) === undefined) return;
  for (const line of readLines(files.readChunks(path), maxEventLineBytes)) {
    const record = "oversized" in line ? undefined : parseRecordLine(line.bytes);
    if (record !== undefined) yield record as unknown as SessionRecord;
  }
}

/** What a session's log tells of its model: the last that was known, and the transcript in which others may be named. */
export function readSessionModel(
  repository: Repository,
  files: Files,
  session: string,
): { readonly model?: string; readonly transcriptPath?: string } {
  let found: { model?: string; transcriptPath?: string } = {};
  for (const record of readSessionRecords(repository, files, session)) {
    if ("model" in record && record.model !== undefined && record.model !== "unknown")
      found = { ...found, model: record.model };
    if ("transcriptPath" in record && record.transcriptPath !== undefined)
      found = { ...found, transcriptPath: record.transcriptPath };
  }
  return found;
}

/** The prompt that was being answered when an edit (`t_...`) of a session was made, if it was recorded here. */
export type PromptFinder = (session: string, trace: string) => string | undefined;

/** Looks prompts up in the session logs of a repository; each log is read at most once. */
export function openPromptFinder(repository: Repository, files: Files): PromptFinder {
  const bySession = new Map<string, Map<string, string>>();
  return (session, trace) => {
    let prompts = bySession.get(session);
    if (prompts === undefined) {
      prompts = readPromptsByTrace(repository, files, session);
      bySession.set(session, prompts);
    }
    return prompts.get(trace);
  };
}

function readPromptsByTrace(repository: Repository, files: Files, session: string): Map<string, string> {
  const prompts = new Map<string, string>();
  // keys of notes come from outside: only one of our own form names a file
  if (!/^s_[0-9a-f]{1,64}$/.test(session)) return prompts;
  let prompt: string | undefined;
  for (const record of readSessionRecords(repository, files, session)) {
    if (record.kind === "prompt") prompt = record.prompt;
    if (record.kind === "edit" && prompt !== undefined) prompts.set(record.trace, prompt);
  }
  return prompts;
}

function sessionLogPath(repository: Repository, session: string): string {
  return join(repository.commonDir, "keyframe", "sessions", `${session}.jsonl`);
}
