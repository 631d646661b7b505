import { isKeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import { fault } from "../../system/fault.ts";
import type { Random } from "../../system/random.ts";
import type { ImageId, LayerId } from "../ids.ts";
import {
  imageOfKey,
  imageOfTouchesKey,
  layerOfKey,
  layersPrefix,
  manifestsPrefix,
  touchesPrefix,
} from "../object-keys.ts";
import type { ListedObject, ObjectStore } from "../stores/interface/object-store.ts";
import { readManifest } from "./read/read-image.ts";
import { expiredLeases, takeCollectLease } from "./repository/leases.ts";

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
  /** Touch orders whose image is gone. */
  readonly touchOrders: readonly string[];
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
  const orders: { readonly key: string; readonly id: ImageId }[] = [];
  for await (const { key } of store.list(touchesPrefix, signal)) {
    const id = imageOfTouchesKey(key);
    if (id !== undefined) orders.push({ key, id });
  }
  // manifests are read after the layers were listed: an image published meanwhile is seen
  const { layers: reached, images } = await readReached(store, signal);
  const unreached = layers.filter((layer) => !reached.has(layer.id));
  const old = unreached.filter((layer) => layer.createdMs + graceMs <= clock.nowMs());
  return {
    layers: old,
    layerBytes: old.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    keptLayers: layers.length - unreached.length,
    youngLayers: unreached.length - old.length,
    expiredLeases: await expiredLeases(store, clock, signal),
    touchOrders: orders.filter(({ id }) => !images.has(id)).map(({ key }) => key),
  };
}

interface Reached {
  readonly images: ReadonlySet<ImageId>;
  readonly layers: ReadonlySet<LayerId>;
}

async function readReached(store: ObjectStore, signal: AbortSignal): Promise<Reached> {
  const images = new Set<ImageId>();
  const layers = new Set<LayerId>();
  for await (const { key } of store.list(manifestsPrefix, signal)) {
    const id = imageOfKey(key);
    if (id === undefined) continue;
    try {
      for (const layer of (await readManifest(store, id, signal)).layers) layers.add(layer.id);
      images.add(id);
    } catch (error) {
      // removed since it was listed; any other failure means that its layers are unknown
      if (!isKeyframeError(error, "not-found")) throw error;
    }
  }
  return { images, layers };
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
    for (const key of [...plan.expiredLeases, ...plan.touchOrders]) await store.delete(key, signal);
    const unfinishedUploads = await store.removeUnfinished(clock.nowMs() - graceMs, signal);
    return { ...plan, unfinishedUploads };
  } finally {
    await lease.release();
  }
}
