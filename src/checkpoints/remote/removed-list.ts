import type { Git } from "../../git/git.ts";
import { committerIdentity } from "../../git/identity.ts";
import type { Oid } from "../../git/ids.ts";
import { openBulkWriter, readObjectFormat } from "../../git/objects/bulk-writer.ts";
import { listTree } from "../../git/objects/tree.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { nothingRemoved, parseRemoved, type Removed, removedRef } from "../record/removed.ts";
import type { FetchedTip } from "./remote-state.ts";

/** What was removed: here, and at remotes as far as they were fetched. */
export async function readRemoved(git: Git, fetched: readonly FetchedTip[] = []): Promise<Removed> {
  const tips = [
    await resolveRevision(git, removedRef),
    ...fetched.filter(({ ref }) => ref === removedRef).map(({ oid }) => oid),
  ];
  return joinRemoved(await Promise.all(tips.map((tip) => readRemovedList(git, tip))));
}

export async function readRemovedList(git: Git, tip: Oid | undefined): Promise<Removed> {
  if (tip === undefined) return nothingRemoved;
  return parseRemoved((await listTree(git, tip)).map(({ path }) => path));
}

export function joinRemoved(lists: readonly Removed[]): Removed {
  return {
    checkpoints: new Set(lists.flatMap(({ checkpoints }) => [...checkpoints])),
    blobs: new Set(lists.flatMap(({ blobs }) => [...blobs])),
  };
}

/** A commit of the list on top of what there is; no ref moves. */
export async function writeRemovedList(
  git: Git,
  {
    parents,
    removed,
    nowSeconds,
  }: { readonly parents: readonly Oid[]; readonly removed: Removed; readonly nowSeconds: number },
): Promise<Oid> {
  const writer = openBulkWriter(git, await readObjectFormat(git));
  const empty = await writer.blob(Buffer.alloc(0));
  const paths = [
    ...[...removed.checkpoints].map((id) => `checkpoints/${id}`),
    ...[...removed.blobs].map((oid) => `blobs/${oid}`),
  ];
  const mark = await writer.commit({
    parents,
    changes: paths.map((path) => ({ kind: "blob", path, oid: empty })),
    message: "Remove checkpoints",
    identity: await committerIdentity(git),
    atSeconds: nowSeconds,
  });
  const oid = (await writer.finish()).get(mark);
  if (oid === undefined) throw new Error("the list of what was removed was not written");
  return oid;
}
