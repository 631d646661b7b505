import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { type CheckpointId, checkpointRefPrefix, idOfCheckpointRef } from "../record/ids.ts";

export const v1Branch = "refs/heads/entire/checkpoints/v1";
export const v2Main = "refs/entire/checkpoints/v2/main";
export const v2FullPrefix = "refs/entire/checkpoints/v2/full/";
export const v2Current = `${v2FullPrefix}current`;

export interface RefAt {
  readonly ref: string;
  readonly oid: Oid;
}

/** Every ref that holds checkpoints, from one `for-each-ref`. */
export interface StoreRefs {
  /** The branch, its copies from remotes, then the branch of the oldest version; the first that has a checkpoint wins. */
  readonly v1: readonly RefAt[];
  readonly v2Main: RefAt | undefined;
  readonly v2Current: RefAt | undefined;
  /** By number, oldest first. */
  readonly v2Archives: readonly RefAt[];
  readonly perCheckpoint: ReadonlyMap<CheckpointId, RefAt>;
}

export async function readStoreRefs(git: Git): Promise<StoreRefs> {
  const output = await git.text([
    "for-each-ref",
    "--format=%(objectname) %(refname)",
    v1Branch,
    "refs/remotes/*/entire/checkpoints/v1",
    "refs/heads/entire/sessions",
    "refs/remotes/*/entire/sessions",
    checkpointRefPrefix,
  ]);
  const all: RefAt[] = [];
  const perCheckpoint = new Map<CheckpointId, RefAt>();
  for (const line of output.split("\n")) {
    const [oid = "", ref = ""] = line.split(" ");
    if (!isOid(oid)) continue;
    const at = { ref, oid };
    const id = idOfCheckpointRef(ref);
    if (id === undefined) all.push(at);
    else perCheckpoint.set(id, at);
  }
  const rank = ({ ref }: RefAt) =>
    (ref.endsWith("/sessions") ? 2 : 0) + (ref.startsWith("refs/remotes/") ? 1 : 0);
  return {
    v1: all.filter(({ ref }) => !ref.startsWith(checkpointRefPrefix)).sort((a, b) => rank(a) - rank(b)),
    v2Main: all.find(({ ref }) => ref === v2Main),
    v2Current: all.find(({ ref }) => ref === v2Current),
    v2Archives: all.filter(({ ref }) => /^\d{13}$/.test(ref.slice(v2FullPrefix.length))),
    perCheckpoint,
  };
}
