import type { Git } from "../../git/git.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";
import { openRefsStore } from "./refs-store.ts";
import type { CheckpointStore } from "./store.ts";
import { openStoreContext } from "./store-context.ts";
import { openV1Store } from "./v1-store.ts";
import { openV2Store } from "./v2-store.ts";

export type CheckpointStores = Readonly<Record<StoreKind, CheckpointStore>>;

export const storeKinds: readonly StoreKind[] = ["refs", "v1", "v2"];

/** Every store of a repository; each is empty until something is written to it. */
export function openCheckpointStores(git: Git): CheckpointStores {
  const context = openStoreContext(git);
  return { v1: openV1Store(context), v2: openV2Store(context), refs: openRefsStore(context) };
}
