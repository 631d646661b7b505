import { isKeyframeError } from "../../base/errors.ts";
import { type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { listSnapshots } from "../store/snapshot-store.ts";
import { eraseSandbox } from "./erase-sandbox.ts";
import { freeUnusedLayers } from "./free-layers.ts";
import { removeSnapshot } from "./remove-snapshot.ts";

/** Ends the machine if it runs and removes what only this sandbox has, its disk layers included. */
export async function removeSandbox(context: SandboxContext, record: SandboxRecord): Promise<void> {
  await eraseSandbox(context, record);
  // the states that only `resume` would have used; one that others stand on by now stays
  const saved = listSnapshots(context).filter((each) => each.suspendOf === record.id);
  for (const snapshot of saved.reverse()) {
    await removeSnapshot(context, snapshot, {}).catch((error: unknown) => {
      if (!isKeyframeError(error, "in-use", "not-ready")) throw error;
    });
  }
  await withLock(context, snapshotsLock, () => freeUnusedLayers(context, record.disk));
}
