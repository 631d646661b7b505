import { errorText, isKeyframeError } from "../../base/errors.ts";
import type { Manifest } from "../formats/manifest-format.ts";
import type { ImageId, ImageName } from "../ids.ts";
import { imageOfKey, manifestsPrefix, nameOfKey, namesPrefix } from "../object-keys.ts";
import type { ObjectStore } from "../stores/interface/object-store.ts";
import { readManifest, readName } from "./read/read-image.ts";

export interface ListedImage {
  readonly id: ImageId;
  readonly names: readonly ImageName[];
  readonly createdMs: number;
  /** Undefined where the manifest is damaged; `problem` says how. */
  readonly manifest: Manifest | undefined;
  readonly problem: string | undefined;
}

export interface ImageListing {
  /** Newest first. */
  readonly images: readonly ListedImage[];
  /** Names without an image, or with a damaged record. */
  readonly problems: readonly string[];
}

/** All images of a store. One damaged record does not hide the others. */
export async function listImages(store: ObjectStore, signal: AbortSignal): Promise<ImageListing> {
  const problems: string[] = [];
  const names = await readNames(store, { signal, report: (problem) => problems.push(problem) });
  const images: ListedImage[] = [];
  for await (const { key, createdMs } of store.list(manifestsPrefix, signal)) {
    const id = imageOfKey(key);
    if (id === undefined) continue;
    const listed = { id, names: names.get(id) ?? [], createdMs };
    names.delete(id);
    try {
      images.push({ ...listed, manifest: await readManifest(store, id, signal), problem: undefined });
    } catch (error) {
      // removed while we listed
      if (isKeyframeError(error, "not-found")) continue;
      if (!isKeyframeError(error, "damaged", "invalid-input")) throw error;
      images.push({ ...listed, manifest: undefined, problem: errorText(error) });
    }
  }
  for (const [id, orphans] of names) problems.push(`${orphans.join(", ")}: image ${id} does not exist`);
  images.sort((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1));
  return { images, problems };
}

/** The names of each image, sorted. */
export async function readNames(
  store: ObjectStore,
  options: { readonly signal: AbortSignal; report(problem: string): void },
): Promise<Map<ImageId, ImageName[]>> {
  const names = new Map<ImageId, ImageName[]>();
  for await (const { key } of store.list(namesPrefix, options.signal)) {
    const name = nameOfKey(key);
    if (name === undefined) continue;
    try {
      const id = await readName(store, name, options.signal);
      names.set(id, [...(names.get(id) ?? []), name].sort());
    } catch (error) {
      if (isKeyframeError(error, "not-found")) continue;
      if (!isKeyframeError(error, "damaged")) throw error;
      options.report(errorText(error));
    }
  }
  return names;
}
