import type { DiskLayerId } from "../ids.ts";
import { removeDiskLayer } from "../store/disk-layers.ts";
import { type SandboxContext, withLock } from "../store/home.ts";
import { listSandboxImages } from "../store/list-images.ts";
import type { DiskLayerRef } from "../store/records.ts";
import { listSandboxes } from "../store/sandbox-store.ts";
import { listSnapshots } from "../store/snapshot-store.ts";

/**
 * Removes those of the layers that no image, sandbox or snapshot names any more. The caller holds the snapshots' lock:
 * nobody begins to name one meanwhile.
 */
export async function freeUnusedLayers(
  context: SandboxContext,
  layers: readonly DiskLayerRef[],
): Promise<void> {
  await withLock(context, "images", async () => {
    const used = new Set<DiskLayerId>([
      ...listSandboxImages(context.files, context.home.folder("images")).map((image) => image.layer),
      ...[...listSandboxes(context), ...listSnapshots(context)].flatMap(({ disk }) =>
        disk.map(({ id }) => id),
      ),
    ]);
    for (const { id } of layers) if (!used.has(id)) removeDiskLayer(context, id);
  });
}
