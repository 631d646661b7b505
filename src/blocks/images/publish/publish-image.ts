import { KeyframeError } from "../../../base/errors.ts";
import { fault } from "../../../system/fault.ts";
import {
  appendRun,
  type BlockRun,
  mergeRuns,
  runsOf,
  toExtentMap,
  zeroLayer,
} from "../../formats/extent-map.ts";
import {
  blockCountOf,
  encodeManifest,
  imageIdOf,
  type LayerRef,
  type Manifest,
} from "../../formats/manifest-format.ts";
import { encodeNameRecord, maxNameRecordBytes, parseNameRecord } from "../../formats/name-record.ts";
import type { ImageId, ImageName } from "../../ids.ts";
import { maxAncestors } from "../../limits.ts";
import { layerKey, manifestKey, nameKey } from "../../object-keys.ts";
import { bytesContent, readObject } from "../../stores/interface/object-content.ts";
import type { ObjectStore } from "../../stores/interface/object-store.ts";
import type { FoundImage } from "../read/read-image.ts";
import type { StoreLease } from "../repository/leases.ts";
import type { WrittenLayer } from "./write-layer.ts";

export interface ComposeOptions {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly parent: FoundImage | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The manifest of an image that reads as `written` where that says something, as its parent elsewhere, and as zeros where
 * the parent ends. Layers that no block needs any more are left out.
 */
export function composeManifest(
  written: Pick<WrittenLayer, "layer" | "runs">,
  { sizeBytes, blockSizeBytes, parent, labels }: ComposeOptions,
): Manifest {
  checkParent(parent, { sizeBytes, blockSizeBytes });
  const blockCount = blockCountOf({ sizeBytes, blockSizeBytes });
  const parentLayers = parent?.manifest.layers ?? [];
  const base: BlockRun[] = parent === undefined ? [] : [...runsOf(parent.manifest.map)];
  const parentBlocks = parent?.manifest.map.blockCount ?? 0;
  appendRun(base, {
    startBlock: parentBlocks,
    blockCount: blockCount - parentBlocks,
    layer: zeroLayer,
    packedBlock: 0,
  });
  const diff = written.runs.map((run) =>
    run.layer === zeroLayer ? run : { ...run, layer: parentLayers.length },
  );
  const table = written.layer === undefined ? parentLayers : [...parentLayers, written.layer];
  const { runs, layers } = dropUnusedLayers(mergeRuns(base, diff), table);
  const ancestors =
    parent === undefined ? [] : [parent.id, ...parent.manifest.ancestors].slice(0, maxAncestors);
  return { sizeBytes, blockSizeBytes, layers, map: toExtentMap(runs, blockCount), ancestors, labels };
}

function checkParent(
  parent: FoundImage | undefined,
  child: { readonly sizeBytes: number; readonly blockSizeBytes: number },
): void {
  if (parent === undefined) return;
  if (parent.manifest.blockSizeBytes !== child.blockSizeBytes) {
    throw new KeyframeError(
      "invalid-input",
      `the parent has blocks of ${parent.manifest.blockSizeBytes} bytes, the new image of ${child.blockSizeBytes}`,
    );
  }
  if (parent.manifest.sizeBytes > child.sizeBytes) {
    throw new KeyframeError(
      "refused",
      `the parent has ${parent.manifest.sizeBytes} bytes, the new image only ${child.sizeBytes}: images do not shrink`,
      { hint: "make the smaller image without a parent" },
    );
  }
}

function dropUnusedLayers(
  runs: readonly BlockRun[],
  table: readonly LayerRef[],
): { readonly runs: BlockRun[]; readonly layers: LayerRef[] } {
  const used = new Set(runs.map((run) => run.layer));
  const places = new Map<number, number>([[zeroLayer, zeroLayer]]);
  const byId = new Map<string, number>();
  const layers: LayerRef[] = [];
  table.forEach((layer, place) => {
    if (!used.has(place)) return;
    // a new layer can turn out equal to one that the parent has
    const known = byId.get(layer.id) ?? layers.push(layer) - 1;
    byId.set(layer.id, known);
    places.set(place, known);
  });
  const renumbered: BlockRun[] = [];
  for (const run of runs) appendRun(renumbered, { ...run, layer: places.get(run.layer) ?? zeroLayer });
  return { runs: renumbered, layers };
}

export interface PublishOptions {
  readonly name: ImageName | undefined;
  readonly lease: StoreLease;
  readonly signal: AbortSignal;
}

/**
 * Makes an image exist: the last step of every upload. The layers are there before the manifest is, and the manifest before
 * its name; each step is atomic, so a crash leaves no image or a whole one. A name that is taken by another image is
 * `refused`; then the image is there without a name.
 */
export async function publishImage(
  store: ObjectStore,
  { manifest, bytes = encodeManifest(manifest) }: { readonly manifest: Manifest; readonly bytes?: Buffer },
  { name, lease, signal }: PublishOptions,
): Promise<ImageId> {
  const id = imageIdOf(bytes);
  lease.check();
  await Promise.all(manifest.layers.map((layer) => mustHaveLayer(store, layer, signal)));
  fault("publish-image:before-manifest");
  await store.put(manifestKey(id), bytesContent(bytes), { signal });
  fault("publish-image:before-name");
  if (name !== undefined) await publishName(store, { name, id, signal });
  fault("publish-image:after-name");
  return id;
}

/** Throws `refused` if the name belongs to another image. */
export async function publishName(
  store: ObjectStore,
  { name, id, signal }: { readonly name: ImageName; readonly id: ImageId; readonly signal: AbortSignal },
): Promise<void> {
  const key = nameKey(name);
  if ((await store.put(key, bytesContent(encodeNameRecord(name, id)), { signal })) === "created") return;
  await refuseTakenName(store, { name, id, signal });
}

/** Throws `refused` if the name belongs to another image; a name that is free is fine. */
export async function refuseTakenName(
  store: ObjectStore,
  { name, id, signal }: { readonly name: ImageName; readonly id: ImageId; readonly signal: AbortSignal },
): Promise<void> {
  const key = nameKey(name);
  if ((await store.stat(key, signal)) === undefined) return;
  const taken = parseNameRecord(name, await readObject(store, key, { maxBytes: maxNameRecordBytes, signal }));
  if (taken === id) return;
  throw new KeyframeError(
    "refused",
    `the name ${name} belongs to image ${taken.slice(0, 16)} in ${store.location}`,
    {
      hint: `choose another name, or remove that one with \`keyframe image rm ${name}\``,
    },
  );
}

async function mustHaveLayer(store: ObjectStore, layer: LayerRef, signal: AbortSignal): Promise<void> {
  const stat = await store.stat(layerKey(layer.id), signal);
  if (stat?.sizeBytes === layer.objectBytes) return;
  throw new KeyframeError(
    "damaged",
    `layer ${layer.id} is ${stat === undefined ? "missing" : "cut"} in ${store.location}: the image is not published`,
    { hint: "verify the parent image with `keyframe image verify`" },
  );
}
