import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import type { Repository } from "../../git/repository.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import { type ProcessIdentity, parseProcessIdentity } from "../../system/process/process-table.ts";
import { journalFolder } from "../layout.ts";
import { type CallKey, CallRecords } from "./call-records.ts";

/** A call of an edit tool that has begun and not ended: its files were looked at. */
export interface OpenEdit {
  readonly agent: AgentId;
  readonly toolUseId: string;
  readonly toolName: string;
  readonly subagentId?: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The agent's process: what a dead one left open can no longer change a file. */
  readonly agentProcess?: ProcessIdentity;
  readonly files: readonly {
    /** Absolute. */
    readonly path: string;
    /** SHA-256 of what the call leaves there, where its payload tells that. */
    readonly expected?: string;
  }[];
}

/** `<git dir>/keyframe/journal/edits/<call>.json`; a call whose end nobody reports is found by its record. */
export function writeOpenEdit(repository: Repository, files: Files, edit: OpenEdit): void {
  recordsOf(repository, files).write(edit, edit);
}

export function removeOpenEdit(repository: Repository, files: Files, call: CallKey): void {
  recordsOf(repository, files).remove(call);
}

/** All of the worktree; damaged and very old records are removed on the way. */
export function pruneAndListOpenEdits(
  repository: Repository,
  { files, clock }: { readonly files: Files; readonly clock: Clock },
): OpenEdit[] {
  return recordsOf(repository, files).pruneAndList({ clock }, () => false);
}

function recordsOf(repository: Repository, files: Files): CallRecords<OpenEdit> {
  return new CallRecords(files, join(journalFolder(repository), "edits"), parseOpenEdit);
}

function parseOpenEdit(bytes: Buffer | undefined): OpenEdit | undefined {
  try {
    const value = JSON.parse(bytes?.toString("utf8") ?? "") as Partial<OpenEdit>;
    const isNamed = value.agent !== undefined && value.toolUseId !== undefined;
    const isEdit = isNamed && typeof value.at === "number" && Array.isArray(value.files);
    if (!isEdit) return undefined;
    const { agentProcess, ...edit } = value as OpenEdit;
    const process = parseProcessIdentity(agentProcess);
    return process === undefined ? edit : { ...edit, agentProcess: process };
  } catch {
    return undefined; // torn by a crash: nobody is credited
  }
}
