import type { JsonMap } from "../../base/json-document.ts";
import type { Oid } from "../../git/ids.ts";
import type { CheckpointTree, StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";

/** Content of a file to be stored: bytes, or an object that the repository has (it may be absent from this machine). */
export type BlobSource = { readonly oid: Oid } | { readonly bytes: Uint8Array };

/** A session as it shall be stored. */
export interface SessionWrite {
  /** As in v1: `checkpoint_transcript_start` counts raw lines. `session_id` is required. */
  readonly metadata: JsonMap;
  /** Chunks in order (src/transcripts/chunks.ts). */
  readonly transcript: readonly BlobSource[];
  /** Numbers that the chunks pass over, because the record they come from lacks those. */
  readonly missingChunks?: readonly number[];
  /** Its directory, or a directory of its own behind the last; by default the one that holds its id. */
  readonly slot?: number | "new";
  /** Hash of the whole redacted transcript, `sha256:<hex>`. */
  readonly contentHash?: BlobSource;
  readonly prompt?: BlobSource;
  /** The compact transcript of the whole session; its start is `compact_transcript_start` of the metadata. */
  readonly compact?: BlobSource;
  readonly context?: BlobSource;
  /** Further files by name in the session's directory. */
  readonly others?: ReadonlyMap<string, BlobSource>;
}

export interface CheckpointWrite {
  readonly id: CheckpointId;
  /**
   * Fields of the checkpoint itself. What follows from the sessions (`checkpoints_count`, `files_touched`,
   * `token_usage`, `sessions`) is computed, unless `whole` says that the record is complete as given.
   */
  readonly root: JsonMap;
  readonly sessions: readonly SessionWrite[];
  /** Subagents' files by path below `tasks/`; where one is stored already, the stored one stays. */
  readonly tasks?: ReadonlyMap<string, BlobSource>;
  /** Further files by path in the checkpoint; where one is stored already, the stored one stays. */
  readonly others?: ReadonlyMap<string, BlobSource>;
  /** The record as given replaces a stored one, and `root` is kept to the byte except for the paths in `sessions`. */
  readonly whole?: boolean;
}

export interface CheckpointWriteOptions {
  /** Subject and trailers of the commit that holds these checkpoints. */
  message(writes: readonly CheckpointWrite[]): string;
  /** Unix seconds. */
  readonly nowSeconds: number;
  /** `Name <email>`; the user by default. */
  readonly identity?: string;
  /** A stored record that cannot be understood is written over instead of refusing the write. False by default. */
  readonly replacesDamaged?: boolean;
}

export interface ListOptions {
  /** False: the raw transcripts of v2 are not looked up, so the lists are shorter to make. True by default. */
  readonly raw?: boolean;
}

/**
 * Where checkpoints are kept. A write is durable before it returns, moves its refs together by compare-and-swap, and
 * starts again with what the other left when another writer was first; sessions are merged by their id, so two writers
 * lose nothing. Writing the same twice changes nothing. Unknown fields and files of a stored checkpoint are kept.
 * @throws KeyframeError `not-here` where a merge needs metadata that is not on this machine, `lock-busy` after too many
 * lost races
 */
export interface CheckpointStore {
  readonly kind: StoreKind;
  list(options?: ListOptions): Promise<Map<CheckpointId, CheckpointTree>>;
  find(id: CheckpointId): Promise<CheckpointTree | undefined>;
  /** Writes all as one commit (one a checkpoint where each has its own ref). Returns the ids that changed. */
  write(
    writes: readonly CheckpointWrite[],
    options: CheckpointWriteOptions,
  ): Promise<readonly CheckpointId[]>;
  /** How many checkpoints a bulk writer should hand over at once. */
  preferredBatch(): Promise<number>;
}
