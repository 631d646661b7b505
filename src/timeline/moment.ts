import type { CheckpointId } from "../checkpoints/record/ids.ts";
import type { Oid } from "../git/ids.ts";

/**
 * Something that a repository can go back to or fork from. A moment names what the layers below already store and adds
 * a title: nothing of it is stored a second time. A part that does not exist is absent.
 */
export interface Moment {
  /** The first 12 digits of its commit or snapshot. */
  readonly id: string;
  readonly kind: MomentKind;
  /** ISO 8601. */
  readonly at: string;
  /** One line: the prompt of a turn, the subject of a commit, the words of a mark. */
  readonly title: string;
  /** Holds the files: the commit itself, or the commit of a snapshot. */
  readonly commit: Oid;
  /** Where HEAD was; `initial` before the first commit. */
  readonly base: Oid | "initial";
  /** `refs/heads/...`; absent where HEAD was detached or that was not recorded. */
  readonly branch?: string;
  /** `race/<id>/<lane>` where a lane of a race came to this commit. */
  readonly lane?: string;
  /** Name of the linked worktree, empty for the main one; absent for a commit. */
  readonly worktree?: string;
  /** True where untracked files are part of it. */
  readonly exact: boolean;
  /** The conversations at that moment. */
  readonly sessions: readonly MomentSession[];
  /** Stored checkpoints that the commit names. */
  readonly checkpoints: readonly CheckpointId[];
  /** Names the owners that were pending (checkpoints/capture/moment-owners.ts). */
  readonly owners?: string;
  /** The machine that it had; absent where there was none. */
  readonly machine?: MomentMachine;
  /** How many files were too large for the snapshot. */
  readonly untaken: number;
  /** The id of the moment before: the earlier turn of the session, the parent of a commit. */
  readonly parent?: string;
}

export interface MomentMachine {
  /** Name of the run in a machine. */
  readonly run: string;
  /** Its snapshot; absent where it was let go. */
  readonly snapshot?: string;
  readonly sizeBytes?: number;
}

export type MomentKind = "turn" | "mark" | "commit";

export interface MomentSession {
  readonly tool: string;
  readonly session: string;
  /** Number of the turn; 0 before the first. Absent for marks. */
  readonly turn?: number;
  /** How far the transcript went; absent where there was none. */
  readonly transcript?: TranscriptPosition;
}

export interface TranscriptPosition {
  readonly rawBytes: number;
  /** Digest of the last bytes: shows whether the file still begins the same way. */
  readonly mark: string;
  readonly lines: number;
}

export function momentId(commit: Oid): string {
  return commit.slice(0, 12);
}
