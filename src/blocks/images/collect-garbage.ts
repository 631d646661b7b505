import { isKeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import { fault } from "../../system/fault.ts";
import type { Random } from "../../system/random.ts";
import type { LayerId } from "../ids.ts";
import { imageOfKey, layerOfKey, layersPrefix, manifestsPrefix } from "../object-keys.ts";
import type { ListedObject, ObjectStore } from "../stores/object-store.ts";
import { expiredLeases, takeCollectLease } from "./leases.ts";
import { readManifest } from "./read-image.ts";

export interface GarbageOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Layers younger than this stay, whoever made them. */
  readonly graceMs: number;
  readonly signal: AbortSignal;
}

export interface GarbagePlan {
  /** Layers that no manifest names, older than the grace time. */
  readonly layers: readonly ListedObject[];
  readonly layerBytes: number;
  readonly keptLayers: number;
  /** Layers that no manifest names, but too young to go. */
  readonly youngLayers: number;
  readonly expiredLeases: readonly string[];
}

export interface GarbageResult extends GarbagePlan {
  readonly unfinishedUploads: number;
}

export const defaultGraceMs = 60 * 60 * 1000;

/** What can be deleted, without deleting it. A manifest that cannot be read stops everything: its layers are unknown. */
export async function planGarbage(
  store: ObjectStore,
  { clock, graceMs, signal }: Omit<GarbageOptions, "random">,
): Promise<GarbagePlan> {
  const layers: (ListedObject & { readonly id: LayerId })[] = [];
  for await (const object of store.list(layersPrefix, signal)) {
    const id = layerOfKey(object.key);
    if (id !== undefined) layers.push({ ...object, id });
  }
  // manifests are read after the layers were listed: an image published meanwhile is seen
  const reached = await reachedLayers(store, signal);
  const unreached = layers.filter((layer) => !reached.has(layer.id));
  const old = unreached.filter((layer) => layer.createdMs + graceMs <= clock.nowMs());
  return {
    layers: old,
    layerBytes: old.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    keptLayers: layers.length - unreached.length,
    youngLayers: unreached.length - old.length,
    expiredLeases: await expiredLeases(store, clock, signal),
  };
}

async function reachedLayers(store: ObjectStore, signal: AbortSignal): Promise<Set<LayerId>> {
  const reached = new Set<LayerId>();
  for await (const { key } of store.list(manifestsPrefix, signal)) {
    const id = imageOfKey(key);
    if (id === undefined) continue;
    try {
      for (const layer of (await readManifest(store, id, signal)).layers) reached.add(layer.id);
    } catch (error) {
      // removed since it was listed; any other failure means that its layers are unknown
      if (!isKeyframeError(error, "not-found")) throw error;
    }
  }
  return reached;
}

/** Plans and deletes while it holds the store's lease, so no upload can begin to use a layer that goes. */
export async function collectGarbage(store: ObjectStore, options: GarbageOptions): Promise<GarbageResult> {
  const { clock, random, graceMs, signal } = options;
  const lease = await takeCollectLease({ store, clock, random, signal });
  try {
    const plan = await planGarbage(store, options);
    for (const { key } of plan.layers) {
      lease.check();
      await store.delete(key, signal);
      fault("collect-garbage:after-delete");
    }
    for (const key of plan.expiredLeases) await store.delete(key, signal);
    const unfinishedUploads = await store.removeUnfinished(clock.nowMs() - graceMs, signal);
    return { ...plan, unfinishedUploads };
  } finally {
    await lease.release();
  }
}
