import { join } from "node:path";
import { errorText } from "../../../base/errors.ts";
import { type AccessOrder, encodeAccessOrder, parseAccessOrder } from "../../cache/access-order.ts";
import { touchWindowBytes } from "../../cache/access-recorder.ts";
import { type CacheFolderSystem, openCacheFolder } from "../../cache/cache-directory.ts";
import { type ChunkCache, openChunkCache } from "../../cache/chunk-cache.ts";
import type { ImageId } from "../../ids.ts";
import type { RandomAccessImage } from "../../random-access-image.ts";
import type { ObjectStore } from "../../stores/interface/object-store.ts";
import type { StreamedImage } from "../../streamed-image.ts";
import { readStoredTouches, storeTouches } from "./stored-touches.ts";

export interface CachedImageOptions {
  readonly source: StreamedImage;
  /** 32 bytes that no other image content has. */
  readonly imageId: Buffer;
  /** One image, one cache directory, one process. */
  readonly folder: string;
  /** Fetched around a read; the cache's own default. */
  readonly chunkBytes?: number;
  /** What the cache knows to be there or not; the image's block by default. */
  readonly trackingBytes?: number;
  /** Where the order of first reads lies beside the image's manifest, for machines that never read it. */
  readonly shared?: {
    readonly store: ObjectStore;
    readonly id: ImageId;
    /** False: read there, never written. */
    readonly isWritable: boolean;
  };
  /** Says what went wrong beside the reads themselves. */
  readonly note: (text: string) => void;
}

/** How long closing may wait for the store to take an order of first reads. */
const shareLimitMs = 5000;

/**
 * An image through a cache directory. What was read first the last time is fetched first, in that order; the order of
 * this time is written down at `close`, which may be called more than once.
 */
export function openCachedImage(options: CachedImageOptions, system: CacheFolderSystem): RandomAccessImage {
  const { source, imageId, folder, chunkBytes, trackingBytes } = options;
  const { sizeBytes, blockSizeBytes } = source;
  const geometry = { sizeBytes, blockSizeBytes, ...(trackingBytes === undefined ? {} : { trackingBytes }) };
  const cache = openChunkCache({
    source,
    store: openCacheFolder({ folder, imageId, ...geometry }, system),
    recordTouches: true,
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  });
  const closing = new AbortController();
  const prefetched = prefetch(cache, options, { system, signal: closing.signal }).catch((error: unknown) => {
    if (!closing.signal.aborted) options.note(`prefetch stopped: ${errorText(error)}`);
  });
  let closed: Promise<void> | undefined;
  const close = async () => {
    closing.abort(new Error("closed"));
    await prefetched;
    try {
      await remember(cache.recordedTouches(), options, system);
    } finally {
      await cache.close();
    }
  };
  return {
    sizeBytes,
    blockSizeBytes,
    read: (into, offsetBytes, signal) => cache.read(into, offsetBytes, signal),
    extents: (range) => cache.extents(range),
    close() {
      closed ??= close();
      return closed;
    },
  };
}

async function prefetch(
  cache: ChunkCache,
  { folder, shared }: CachedImageOptions,
  { system, signal }: { readonly system: CacheFolderSystem; readonly signal: AbortSignal },
): Promise<void> {
  const recorded = system.files.readIfExists(touchesPath(folder));
  const order =
    recorded === undefined
      ? shared && (await readStoredTouches({ ...shared, signal }))
      : parseOwnOrder(recorded);
  if (order?.windowBytes === touchWindowBytes) await cache.prefetch(order.windows, signal);
}

function parseOwnOrder(bytes: Buffer): AccessOrder | undefined {
  try {
    return parseAccessOrder(bytes);
  } catch {
    return undefined; // torn by a crash: nothing is known about the last time
  }
}

async function remember(
  windows: Uint32Array,
  { folder, shared, note }: CachedImageOptions,
  { files }: CacheFolderSystem,
): Promise<void> {
  if (windows.length === 0) return;
  const order = { windowBytes: touchWindowBytes, windows };
  files.replaceWithoutSync(touchesPath(folder), encodeAccessOrder(order), { mode: 0o600 });
  if (shared === undefined || !shared.isWritable) return;
  const signal = AbortSignal.timeout(shareLimitMs);
  await storeTouches({ ...shared, signal }, order).catch((error: unknown) =>
    note(`the order of first reads was not stored: ${errorText(error)}`),
  );
}

function touchesPath(folder: string): string {
  return join(folder, "touches");
}
