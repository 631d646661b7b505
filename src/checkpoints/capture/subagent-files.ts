import { basename, dirname, join } from "node:path";
import { subagentTranscriptPath } from "../../agents/conversations/conversation-place.ts";
import { isKeyframeError } from "../../base/errors.ts";
import { encodeJsonDocument, type JsonMap, type JsonValue } from "../../base/json-document.ts";
import { readLines } from "../../base/text/lines.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { maxChunkBytes, maxTranscriptLineBytes } from "../../transcripts/limits.ts";
import {
  addTranscriptTokens,
  emptyFacts,
  noTranscriptTokens,
  type SubagentTask,
  type TranscriptTokens,
} from "../../transcripts/scan/transcript-facts.ts";
import { scanTranscriptLine } from "../../transcripts/scan/transcript-scan.ts";
import { encodeTokens } from "../record/token-fields.ts";
import type { BlobSource } from "../stores/store.ts";
import type { CaptureRecord } from "./record.ts";
import type { CaptureDeps } from "./transcript.ts";
import { hasTranscript } from "./transcript-file.ts";

/** What the subagents of a piece of a transcript did: files by path below `tasks/`, and their tokens. */
export interface SubagentFiles {
  readonly tasks: ReadonlyMap<string, BlobSource>;
  readonly tokens: TranscriptTokens;
}

export interface TaskRange {
  readonly startLine: number;
  readonly endLine: number;
}

/** Tasks of one checkpoint that are stored; more would be a runaway. */
const maxTasks = 200;

/**
 * Redacts the transcripts of the subagents whose calls stand in a range of lines. One that cannot be found is recorded
 * as such.
 */
export function readSubagentFiles(
  repository: Repository,
  { files, redactor }: CaptureDeps,
  { record, range }: { readonly record: CaptureRecord; readonly range: TaskRange },
): SubagentFiles {
  const tasks = new Map<string, BlobSource>();
  let tokens = noTranscriptTokens;
  const called = record.facts.tasks.filter(({ line }) => line >= range.startLine && line < range.endLine);
  for (const task of called.slice(-maxTasks)) {
    if (!isName(task.toolUseId)) continue;
    const raw = readSubagentTranscript({ files }, record, task.agentId);
    const facts = emptyFacts();
    if (raw !== undefined && task.agentId !== undefined) {
      const redacted = redactor.redactLines(raw);
      for (const line of readLines([redacted], maxTranscriptLineBytes)) {
        if (!("oversized" in line)) scanTranscriptLine(record.agent.tool, line.bytes, facts);
      }
      tokens = addTranscriptTokens(tokens, facts.tokens);
      tasks.set(`${task.toolUseId}/agent-${task.agentId}.jsonl`, { bytes: redacted });
    }
    const edited = facts.editedPaths.map((path) => redactor.redactText(insideRepository(repository, path)));
    const description = taskFile(task, { files: edited, tokens: facts.tokens, found: raw !== undefined });
    tasks.set(`${task.toolUseId}/task.json`, { bytes: Buffer.from(`${encodeJsonDocument(description)}\n`) });
  }
  return { tasks, tokens };
}

function isName(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,200}$/.test(text);
}

/** Beside the conversation's transcript, in its own directory in later versions. Only the user's own regular files of sane size. */
function readSubagentTranscript(
  { files }: Pick<CaptureDeps, "files">,
  { agent, transcriptPath }: CaptureRecord,
  agentId: string | undefined,
): Buffer | undefined {
  const own = agentId === undefined ? undefined : subagentTranscriptPath(agent.tool, transcriptPath, agentId);
  if (own === undefined) return undefined;
  for (const path of [own, join(dirname(transcriptPath), basename(own))]) {
    if (isOwnTranscript(path, files) && (files.statIfExists(path)?.sizeBytes ?? 0) <= maxChunkBytes)
      return files.readIfExists(path);
  }
  return undefined;
}

function isOwnTranscript(path: string, files: Files): boolean {
  try {
    return hasTranscript(path, files);
  } catch (error) {
    if (isKeyframeError(error, "refused")) return false;
    throw error;
  }
}

function insideRepository({ workTree }: Repository, path: string): string {
  return workTree !== undefined && path.startsWith(`${workTree}/`) ? path.slice(workTree.length + 1) : path;
}

function taskFile(
  task: SubagentTask,
  {
    files,
    tokens,
    found,
  }: { readonly files: string[]; readonly tokens: TranscriptTokens; readonly found: boolean },
): JsonMap {
  const document: JsonMap = new Map<string, JsonValue>([["tool_use_id", task.toolUseId]]);
  const set = (key: string, value: JsonValue | undefined) => {
    if (value !== undefined && value !== "") document.set(key, value);
  };
  set("agent_id", task.agentId);
  set("subagent_type", task.type);
  set("task_description", task.description);
  document.set("files", files);
  if (tokens.calls > 0) document.set("token_usage", encodeTokens(tokens));
  set("started_at", task.startedAt);
  set("completed_at", task.completedAt);
  if (!found) document.set("transcript_unavailable_reason", "not found on this machine");
  return document;
}
