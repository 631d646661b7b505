import type { ImageId, ImageName } from "../ids.ts";
import { isIdPrefix, parseImageName } from "../ids.ts";
import { manifestKey, nameKey, touchesKey } from "../object-keys.ts";
import type { ObjectStore } from "../stores/interface/object-store.ts";
import { readNames } from "./list-images.ts";
import { findImage, readName } from "./read/read-image.ts";

export interface RemovedImage {
  readonly id: ImageId;
  readonly names: readonly ImageName[];
  /** False where the image still has another name, and so stays. */
  readonly isGone: boolean;
}

/**
 * Takes a name from an image, and the image itself when no name is left; an id means the image with all its names.
 * Layers stay until a collection finds that no manifest names them, so images made from this one lose nothing.
 */
export async function removeImage(
  store: ObjectStore,
  text: string,
  signal: AbortSignal,
): Promise<RemovedImage> {
  const asName = isIdPrefix(text) ? undefined : parseImageName(text);
  const id =
    asName === undefined ? (await findImage(store, text, signal)).id : await readName(store, asName, signal);
  const all = (await readNames(store, { signal, report: () => undefined })).get(id) ?? [];
  const names = asName === undefined ? all : [asName];
  const isGone = names.length >= all.length;
  // names first: a name without an image is worse than an image without a name
  for (const name of names) await store.delete(nameKey(name), signal);
  if (isGone) {
    await store.delete(manifestKey(id), signal);
    await store.delete(touchesKey(id), signal);
  }
  return { id, names, isGone };
}
