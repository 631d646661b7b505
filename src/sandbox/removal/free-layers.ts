import type { DiskLayerId } from "../ids.ts";
import { removeDiskLayer } from "../store/disk-layers.ts";
import { type SandboxWorld, withLock } from "../store/home.ts";
import { listSandboxImages } from "../store/list-images.ts";
import type { DiskLayerRef } from "../store/records.ts";
import { listSandboxes } from "../store/sandbox-store.ts";
import { listSnapshots } from "../store/snapshot-store.ts";

/**
 * Removes those of the layers that no image, sandbox or snapshot names any more. The caller holds the snapshots' lock:
 * nobody begins to name one meanwhile.
 */
export async function freeUnusedLayers(world: SandboxWorld, layers: readonly DiskLayerRef[]): Promise<void> {
  await withLock(world, "images", async () => {
    const used = new Set<DiskLayerId>([
      ...listSandboxImages(world.files, world.home.folder("images")).map((image) => image.layer),
      ...[...listSandboxes(world), ...listSnapshots(world)].flatMap(({ disk }) => disk.map(({ id }) => id)),
    ]);
    for (const { id } of layers) if (!used.has(id)) removeDiskLayer(world, id);
  });
}
