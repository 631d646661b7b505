import type { Oid } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { KeptOwners } from "./unused-owners.ts";

/** Something that only takes room. Stored checkpoints are never among it. */
export type CleanItem =
  /** A branch of temporary snapshots that an older tool left; its session has no state any more. */
  | { readonly kind: "shadow branch"; readonly ref: string; readonly oid: Oid }
  /** A ref that a fetch was to remove. */
  | { readonly kind: "temporary ref"; readonly ref: string; readonly oid: Oid }
  /** The index of `keyframe search`, which is built again when needed. */
  | { readonly kind: "search index"; readonly path: string }
  /** What `git fast-import` writes when it is killed. */
  | { readonly kind: "crash report"; readonly path: string }
  /** What a process wrote that was killed before it could give it its name. */
  | { readonly kind: "temporary file"; readonly path: string }
  /** A transfer that was killed: what was verified is taken in, the rest goes. */
  | { readonly kind: "interrupted fetch"; readonly path: string }
  /** Packs of many fetches, made one; no object goes. */
  | { readonly kind: "fetched packs"; readonly names: readonly string[]; readonly sizeBytes: number }
  /** What a removal of a joined pack left when it was killed. */
  | { readonly kind: "pack remains"; readonly name: string; readonly sizeBytes: number }
  /** Rewind points of a finished session. */
  | {
      readonly kind: "turn snapshots";
      readonly ref: string;
      readonly oid: Oid;
      readonly sessionId: string;
    }
  /** The redacted copy of a finished session's transcript; what was committed of it is in its checkpoints. */
  | {
      readonly kind: "transcript copy";
      readonly path: string;
      /** Of its record; undefined: a removal was killed behind that. */
      readonly seenMs: number | undefined;
      readonly sessionId: string;
    }
  | { readonly kind: "session state"; readonly path: string; readonly sessionId: string }
  /** What `rewind --undo` would go back to. */
  | { readonly kind: "last rewind"; readonly path: string; readonly seenMs: number; readonly of: Repository }
  /** Owners of uncommitted lines that were kept for a moment, and that no moment names any more. */
  | { readonly kind: "unused owners"; readonly path: string; readonly owners: readonly KeptOwners[] }
  /** A conversation from before a rewind that a later one has taken the place of. */
  | { readonly kind: "rewind backup"; readonly path: string }
  /** Snapshots from before rewinds of a worktree, without a rewind that could be taken back. */
  | { readonly kind: "rewind snapshots"; readonly ref: string; readonly oid: Oid };

export type CleanKind = CleanItem["kind"];
