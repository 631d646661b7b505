import type { AuthorshipMetadata } from "../note/log.ts";
import type { OwnerRuns } from "../rules/owner-runs.ts";

/** Owners of a file's lines as they lie in the work tree now, not committed yet. */
export interface PendingFile {
  readonly runs: OwnerRuns;
  /** Explains the keys of the runs, in the form of a note's metadata. */
  readonly metadata: AuthorshipMetadata;
}

/**
 * Looks up the uncommitted owners of a file by its path inside the repository; undefined where nothing is known.
 * The reading commands take it as a parameter: what is pending is the journal's business.
 */
export type PendingOwners = (path: string) => PendingFile | undefined;
