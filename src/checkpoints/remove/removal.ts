import type { CheckpointId } from "../record/ids.ts";
import { idOfCheckpointRef, shardedPath } from "../record/ids.ts";

/** What shall be gone: whole checkpoints, or of some the directories of one session. */
export interface Removal {
  readonly checkpoints: ReadonlySet<CheckpointId>;
  /** Directory numbers by checkpoint; subagents' files of such a checkpoint go as well, because nothing says whose they are. */
  readonly folders: ReadonlyMap<CheckpointId, ReadonlySet<number>>;
}

/** Which paths of a ref's tree are meant; pure. */
export function pathsOf(ref: string, { checkpoints, folders }: Removal): (path: string) => boolean {
  const own = idOfCheckpointRef(ref);
  if (own !== undefined) {
    const isWhole = checkpoints.has(own);
    return (path) => isWhole || isInFolders(path, folders.get(own));
  }
  const whole = new Set([...checkpoints].map(shardedPath));
  const parts = new Map([...folders].map(([id, indexes]) => [shardedPath(id), indexes]));
  return (path) => {
    const folder = path.split("/", 2).join("/");
    return whole.has(folder) || isInFolders(path.slice(folder.length + 1), parts.get(folder));
  };
}

function isInFolders(path: string, indexes: ReadonlySet<number> | undefined): boolean {
  const first = path.slice(0, path.indexOf("/"));
  return indexes !== undefined && (first === "tasks" || (/^\d+$/.test(first) && indexes.has(Number(first))));
}
