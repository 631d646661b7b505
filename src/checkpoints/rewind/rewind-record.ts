import { join } from "node:path";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";

/** The last rewind: written before anything is changed, so that it can be taken back though it was cut off. */
export interface RewindRecord {
  readonly version: 1;
  readonly target: string;
  readonly safety: Oid;
  readonly state: "begun" | "done";
  /** False where only the conversation was rewound: files are then not taken back either. */
  readonly withFiles: boolean;
  /** Conversations as they were: a copy each, or none where there was no file. */
  readonly backups: readonly { readonly path: string; readonly backup: string | null }[];
  /** Where HEAD was; absent where it stayed. */
  readonly head?: HeadRecord;
}

/** HEAD's branch and the index as they were before a rewind moved them. */
export interface HeadRecord {
  /** The full name of HEAD's branch; null where HEAD was detached. */
  readonly ref: string | null;
  readonly from: Oid;
  readonly to: Oid;
  /** The tree that the index had. */
  readonly index: Oid;
}

export const safetyRefPrefix = "refs/keyframe/safety/";

/** The ref of the snapshots from before a worktree's rewinds. */
export function safetyRef({ gitDir, commonDir }: Repository): string {
  return safetyRefPrefix + (gitDir === commonDir ? "main" : `worktree-${gitDir.split("/").at(-1)}`);
}

/** Where a worktree keeps the record of its last rewind, and the conversations from before its rewinds. */
export function rewindFolder({ gitDir }: Repository): string {
  return join(gitDir, "keyframe", "rewind");
}

export function rewindRecordPath(repository: Repository): string {
  return join(rewindFolder(repository), "last.json");
}

/** The last rewind of a worktree; undefined if there was none that can be taken back. */
export function readRewindRecord(repository: Repository, files: Files): RewindRecord | undefined {
  const bytes = files.readIfExists(rewindRecordPath(repository));
  const record = bytes === undefined ? undefined : parseRecordLine(bytes);
  // the sum has been checked: the record is as writeRewindRecord wrote it
  return record?.["version"] === 1 ? (record as unknown as RewindRecord) : undefined;
}

export function writeRewindRecord({ repository }: Git, files: Files, record: RewindRecord): void {
  files.makeFolder(rewindFolder(repository));
  files.replace(rewindRecordPath(repository), encodeRecordLine(record), { mode: 0o600 });
}
