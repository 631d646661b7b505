import { isOid, type Oid } from "../../git/ids.ts";
import { type CheckpointId, checkpointRefPrefix, isCheckpointId } from "./ids.ts";

/**
 * Where a repository says what was removed from it and must not come back. Everything is in the names of the tree's
 * files, which are empty: who fetches only trees knows it all. `checkpoints/<id>`: removed; `blobs/<id>`: content that
 * was taken out of a record.
 */
export const removedRef = `${checkpointRefPrefix}removed/list`;

export interface Removed {
  readonly checkpoints: ReadonlySet<CheckpointId>;
  readonly blobs: ReadonlySet<Oid>;
}

export const nothingRemoved: Removed = { checkpoints: new Set(), blobs: new Set() };

export function parseRemoved(paths: readonly string[]): Removed {
  const below = (folder: string) =>
    paths.flatMap((path) => (path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : []));
  return {
    checkpoints: new Set(below("checkpoints").filter(isCheckpointId)),
    blobs: new Set(below("blobs").filter(isOid)),
  };
}

/** True if a stored checkpoint is one that was removed, or holds content that was. */
export function isRemoved(
  { checkpoints, blobs }: Removed,
  { id, files }: { readonly id: CheckpointId; readonly files: ReadonlyMap<string, Oid> },
): boolean {
  return checkpoints.has(id) || (blobs.size > 0 && [...files.values()].some((oid) => blobs.has(oid)));
}
