import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import { fault } from "../../system/fault.ts";
import type { Random } from "../../system/random.ts";
import type { LayerRef, Manifest } from "../formats/manifest-format.ts";
import type { ImageId, ImageName } from "../ids.ts";
import { layerKey } from "../object-keys.ts";
import type { ObjectStore } from "../stores/interface/object-store.ts";
import { publishImage, refuseTakenName } from "./publish/publish-image.ts";
import { type FoundImage, readManifestBytes } from "./read/read-image.ts";
import { copyTouches } from "./read/stored-touches.ts";
import { verifiedLayerContent } from "./read/verified-layer-content.ts";
import { takeUploadLease } from "./repository/leases.ts";

export interface TransferOptions {
  /** The name in the other store; none if undefined. */
  readonly name: ImageName | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface TransferResult {
  readonly id: ImageId;
  readonly copiedLayers: number;
  readonly copiedBytes: number;
  /** Layers that were there already. */
  readonly presentLayers: number;
}

/** What a transfer has to copy. */
export interface TransferPlan {
  readonly missing: readonly LayerRef[];
  readonly missingBytes: number;
  readonly present: number;
}

/**
 * Copies an image between stores: only layers that are missing there, each verified on the way, then the manifest, then the
 * name. Run again after a failure, it goes on with the layers (in S3 with the parts) that did not arrive.
 */
export async function transferImage(
  stores: { readonly from: ObjectStore; readonly to: ObjectStore },
  image: FoundImage,
  options: TransferOptions,
): Promise<TransferResult> {
  const { from, to } = stores;
  const { clock, random, signal, name } = options;
  const lease = await takeUploadLease({ store: to, clock, random, signal });
  try {
    if (name !== undefined) await refuseTakenName(to, { name, id: image.id, signal });
    const plan = await planTransfer(to, image.manifest, signal);
    let doneBytes = 0;
    for (const ref of plan.missing) {
      const content = await verifiedLayerContent(from, ref, signal);
      await to.put(layerKey(ref.id), content, {
        signal,
        onProgress: (layerBytes) => options.onProgress?.(doneBytes + layerBytes, plan.missingBytes),
      });
      doneBytes += ref.objectBytes;
      options.onProgress?.(doneBytes, plan.missingBytes);
      fault("transfer-image:after-layer");
    }
    // the bytes as they are stored: another version might encode the same manifest differently
    const bytes = await readManifestBytes(from, image.id, signal);
    const id = await publishImage(to, { manifest: image.manifest, bytes }, { name, lease, signal });
    await copyTouches({ store: from, id, signal }, to);
    return {
      id,
      copiedLayers: plan.missing.length,
      copiedBytes: plan.missingBytes,
      presentLayers: plan.present,
    };
  } finally {
    await lease.release();
  }
}

async function planTransfer(to: ObjectStore, manifest: Manifest, signal: AbortSignal): Promise<TransferPlan> {
  const missing: LayerRef[] = [];
  for (const layer of manifest.layers) {
    const stat = await to.stat(layerKey(layer.id), signal);
    if (stat === undefined) missing.push(layer);
    else if (stat.sizeBytes !== layer.objectBytes) {
      throw new KeyframeError(
        "damaged",
        `layer ${layer.id} has ${stat.sizeBytes} bytes in ${to.location} where ${layer.objectBytes} belong`,
        { hint: "remove that object, then run the command again" },
      );
    }
  }
  return {
    missing,
    missingBytes: missing.reduce((sum, layer) => sum + layer.objectBytes, 0),
    present: manifest.layers.length - missing.length,
  };
}
