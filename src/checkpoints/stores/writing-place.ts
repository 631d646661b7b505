import type { CheckpointTree, StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import { type CheckpointStores, storeKinds } from "./open-stores.ts";
import type { CheckpointStore } from "./store.ts";

/** Where a checkpoint is written, and what is stored of it there. */
export interface WritingPlace {
  readonly store: CheckpointStore;
  readonly tree: CheckpointTree | undefined;
}

/** The store that holds a checkpoint, so that it is not in two of them; else the one for new ones. */
export async function findWritingPlace(
  stores: CheckpointStores,
  id: CheckpointId,
  forNew: StoreKind,
): Promise<WritingPlace> {
  for (const kind of [forNew, ...storeKinds.filter((other) => other !== forNew)]) {
    const tree = await stores[kind].find(id);
    if (tree !== undefined) return { store: stores[kind], tree };
  }
  return { store: stores[forNew], tree: undefined };
}
