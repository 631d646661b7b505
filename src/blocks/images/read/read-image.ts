import { isKeyframeError, KeyframeError } from "../../../base/errors.ts";
import { imageIdOf, type Manifest, parseManifest } from "../../formats/manifest-format.ts";
import { maxNameRecordBytes, parseNameRecord } from "../../formats/name-record.ts";
import { type ImageId, type ImageName, isIdPrefix, parseImageId, parseImageName } from "../../ids.ts";
import { maxManifestBytes } from "../../limits.ts";
import { imageOfKey, manifestKey, manifestsPrefix, nameKey } from "../../object-keys.ts";
import { readObject } from "../../stores/interface/object-content.ts";
import type { ObjectStore } from "../../stores/interface/object-store.ts";
import { verifiedTwice } from "./open-layer.ts";

export interface FoundImage {
  readonly id: ImageId;
  readonly manifest: Manifest;
}

/** The image that a name, an id or the first 8 or more digits of an id mean. */
export async function findImage(store: ObjectStore, text: string, signal: AbortSignal): Promise<FoundImage> {
  const id = isIdPrefix(text)
    ? await idOfPrefix(store, text, signal)
    : await readName(store, parseImageName(text), signal);
  return { id, manifest: await readManifest(store, id, signal) };
}

/** Throws `damaged` unless the manifest's digest is its id. */
export async function readManifest(store: ObjectStore, id: ImageId, signal: AbortSignal): Promise<Manifest> {
  return parseManifest(await readManifestBytes(store, id, signal));
}

/** The verified bytes of a manifest, as they are stored. */
export async function readManifestBytes(
  store: ObjectStore,
  id: ImageId,
  signal: AbortSignal,
): Promise<Buffer> {
  const key = manifestKey(id);
  return verifiedTwice(store, key, async () => {
    const bytes = await translateAbsence(`image ${id}`, store, () =>
      readObject(store, key, { maxBytes: maxManifestBytes, signal }),
    );
    if (imageIdOf(bytes) === id) return bytes;
    throw new KeyframeError("damaged", `the manifest of image ${id} in ${store.location} is damaged`, {
      hint: "fetch the image again from another store with `keyframe image pull`",
    });
  });
}

export async function readName(store: ObjectStore, name: ImageName, signal: AbortSignal): Promise<ImageId> {
  const record = await translateAbsence(`image named ${name}`, store, () =>
    readObject(store, nameKey(name), { maxBytes: maxNameRecordBytes, signal }),
  );
  return parseNameRecord(name, record);
}

async function idOfPrefix(store: ObjectStore, prefix: string, signal: AbortSignal): Promise<ImageId> {
  if (prefix.length === 64) return parseImageId(prefix);
  const found: ImageId[] = [];
  for await (const { key } of store.list(manifestsPrefix + prefix, signal)) {
    const id = imageOfKey(key);
    if (id !== undefined) found.push(id);
  }
  const [id] = found;
  if (id !== undefined && found.length === 1) return id;
  if (id === undefined) throw noImage(`image ${prefix}...`, store);
  throw new KeyframeError("invalid-input", `${prefix} is the start of ${found.length} image ids`, {
    hint: "write more digits",
  });
}

async function translateAbsence<T>(what: string, store: ObjectStore, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw isKeyframeError(error, "not-found") ? noImage(what, store) : error;
  }
}

function noImage(what: string, store: ObjectStore): KeyframeError {
  return new KeyframeError("not-found", `there is no ${what} in ${store.location}`, {
    hint: "`keyframe image list` lists the images of a store",
  });
}
