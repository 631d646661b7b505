import type { Oid, RepoPath } from "../ids.ts";

/** A changed region without context. Line numbers are 1-based; a count of 0 leaves its start without meaning. */
export interface Hunk {
  readonly oldStart: number;
  readonly oldCount: number;
  readonly newStart: number;
  readonly newCount: number;
}

export interface FilePatch {
  /** Undefined for a new file. */
  readonly oldPath: RepoPath | undefined;
  /** Undefined for a deleted file. */
  readonly newPath: RepoPath | undefined;
  readonly binary: boolean;
  readonly hunks: readonly Hunk[];
}

export interface CommitPatch {
  readonly commit: Oid;
  readonly files: readonly FilePatch[];
}
