import { dirname, join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { tarBlockBytes, tarPadding } from "../../base/ustar.ts";
import { fault } from "../../system/fault.ts";
import { publishFile } from "../../system/files/publish-file.ts";
import type { SparseFile } from "../../system/files/sparse-file.ts";
import { randomHex } from "../../system/random.ts";
import { encodeNameRecord } from "../formats/name-record.ts";
import { encodeTarHeader } from "../formats/tar-header.ts";
import type { ImageName } from "../ids.ts";
import { layerKey, manifestKey, nameKey } from "../object-keys.ts";
import { bytesContent } from "../stores/interface/object-content.ts";
import type { ObjectContent } from "../stores/interface/object-store.ts";
import { type FoundImage, readManifestBytes } from "./read/read-image.ts";
import { verifiedLayerContent } from "./read/verified-layer-content.ts";
import type { ImageRepository } from "./repository/image-repository.ts";

export interface PackOptions {
  /** The name that the image has in the pack. */
  readonly name: ImageName | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * Writes an image with everything it needs into one tar file, verified on the way. The file appears whole or not at all, and
 * never replaces one. Returns its length.
 */
export async function packImage(
  repository: ImageRepository,
  { image, path }: { readonly image: FoundImage; readonly path: string },
  options: PackOptions,
): Promise<number> {
  const { files, openFile, random, store } = repository;
  const { name, signal } = options;
  if (files.statIfExists(path) !== undefined) throw taken(path);
  const temporary = join(dirname(path), `.keyframe-pack-${randomHex(random, 12)}`);
  const file = openFile(temporary, { mode: "create" });
  try {
    const totalBytes = image.manifest.layers.reduce((sum, layer) => sum + layer.objectBytes, 0);
    let end = 0;
    for (const layer of image.manifest.layers) {
      const content = await verifiedLayerContent(store, layer, signal);
      end = await append(file, end, { key: layerKey(layer.id), content, signal });
      options.onProgress?.(end, totalBytes);
    }
    const manifest = bytesContent(await readManifestBytes(store, image.id, signal));
    end = await append(file, end, { key: manifestKey(image.id), content: manifest, signal });
    if (name !== undefined) {
      const record = bytesContent(encodeNameRecord(name, image.id));
      end = await append(file, end, { key: nameKey(name), content: record, signal });
    }
    await file.write(Buffer.alloc(2 * tarBlockBytes), end);
    await file.syncData();
    fault("pack-image:before-publish");
    if (publishFile(temporary, path) !== true) throw taken(path);
    return end + 2 * tarBlockBytes;
  } finally {
    await file.close();
    files.remove(temporary);
  }
}

async function append(
  file: SparseFile,
  offsetBytes: number,
  entry: { readonly key: string; readonly content: ObjectContent; readonly signal: AbortSignal },
): Promise<number> {
  const { sizeBytes } = entry.content;
  await file.write(encodeTarHeader({ name: entry.key, sizeBytes }), offsetBytes);
  let at = offsetBytes + tarBlockBytes;
  for await (const piece of entry.content.open({ offsetBytes: 0, lengthBytes: sizeBytes }, entry.signal)) {
    await file.write(piece, at);
    at += piece.length;
  }
  const padding = tarPadding(sizeBytes);
  if (padding > 0) await file.write(Buffer.alloc(padding), at);
  return at + padding;
}

function taken(path: string): KeyframeError {
  return new KeyframeError("refused", `${path} exists`, { hint: "name a file that does not exist yet" });
}
