import { join } from "node:path";
import type { CacheFolderSystem } from "../blocks/cache/cache-directory.ts";
import type { ImageId } from "../blocks/ids.ts";
import { openCachedImage } from "../blocks/images/read/cached-image.ts";
import { openOverlay } from "../blocks/overlay/overlay.ts";
import type { RandomAccessImage } from "../blocks/random-access-image.ts";
import type { ObjectStore } from "../blocks/stores/interface/object-store.ts";
import type { StreamedImage } from "../blocks/streamed-image.ts";
import { readOnlyDevice, type WritableDisk } from "../blocks/writable-disk.ts";

/** An image that was found, before anything of it is read. */
export interface ImageToOpen {
  readonly source: StreamedImage;
  /** 32 bytes that name the content: caches and overlays belong to it. */
  readonly id: Buffer;
  /** Where the image's manifest is; undefined for a plain file. */
  readonly stored?: { readonly store: ObjectStore; readonly id: ImageId };
  /** Set if the bytes are on this machine already, so that a cache would only copy them. */
  readonly local?: RandomAccessImage;
}

export interface CacheRequest {
  /** Holds one directory for each image. */
  readonly folder: string;
  /** Cache also what is on this machine already. */
  readonly always: boolean;
  readonly chunkBytes?: number;
  readonly trackingBytes?: number;
  /** Put the order of first reads beside the image, for others that open it. */
  readonly shareTouches: boolean;
  readonly note: (text: string) => void;
}

export interface DeviceRequest {
  readonly cache: CacheRequest;
  /** Takes the writes; without one the device is read-only. */
  readonly overlay?: { readonly folder: string; readonly readOnly: boolean };
}

/** An image as a disk: through a cache if its bytes are elsewhere or a cache is wanted, under an overlay if one is. */
export async function openDevice(
  found: ImageToOpen,
  request: DeviceRequest,
  system: CacheFolderSystem,
): Promise<WritableDisk> {
  const image = openReader(found, request.cache, system);
  if (request.overlay === undefined) return readOnlyDevice(image);
  try {
    const overlay = { ...request.overlay, parent: image, parentId: found.id };
    return await openOverlay(overlay, system);
  } catch (error) {
    await image.close();
    throw error;
  }
}

/** Reads an image through the cache directory, unless its bytes are on this machine as they are. */
export function openReader(
  found: ImageToOpen,
  request: CacheRequest,
  system: CacheFolderSystem,
): RandomAccessImage {
  const { source, id, local, stored } = found;
  if (!request.always && local !== undefined) return local;
  const { folder, shareTouches, always: _always, ...options } = request;
  return openCachedImage(
    {
      ...options,
      source,
      imageId: id,
      folder: join(folder, id.toString("hex")),
      ...(stored === undefined ? {} : { shared: { ...stored, isWritable: shareTouches } }),
    },
    system,
  );
}
