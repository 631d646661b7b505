import { join } from "node:path";
import { openCacheFolder } from "../../blocks/cache/cache-directory.ts";
import { type ChunkCache, openChunkCache } from "../../blocks/cache/chunk-cache.ts";
import { encodeTouchOrder, parseTouchOrder } from "../../blocks/cache/touch-order.ts";
import { touchWindowBytes } from "../../blocks/cache/touch-recorder.ts";
import { parseImageId } from "../../blocks/ids.ts";
import type { ImageReader } from "../../blocks/image-reader.ts";
import { openImage } from "../../blocks/images/read/layered-image.ts";
import { readManifest } from "../../blocks/images/read/read-image.ts";
import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import type { SandboxWorld } from "../store/home.ts";

/** An image through a cache folder. Fetches what was touched first the last time, and notes the order of this time. */
export async function openCachedImage(
  world: SandboxWorld,
  repository: ImageRepository,
  options: {
    readonly image: string;
    readonly folder: string;
    readonly chunkBytes?: number;
    readonly signal: AbortSignal;
  },
): Promise<ImageReader> {
  const id = parseImageId(options.image);
  const manifest = await readManifest(repository.store, id, options.signal);
  const { sizeBytes, blockSizeBytes } = manifest;
  const store = openCacheFolder(
    { folder: options.folder, imageId: Buffer.from(id, "hex"), sizeBytes, blockSizeBytes },
    { ...world, openBlockFile: repository.openFile },
  );
  const cache = openChunkCache({
    source: openImage(repository, manifest),
    store,
    recordTouches: true,
    ...(options.chunkBytes === undefined ? {} : { chunkBytes: options.chunkBytes }),
  });
  const path = join(options.folder, "touches");
  prefetchRecorded(world, cache, path);
  let closed: Promise<void> | undefined;
  return {
    ...cache,
    close() {
      closed ??= closeWithTouches(world, cache, path);
      return closed;
    },
  };
}

function prefetchRecorded(world: SandboxWorld, cache: ChunkCache, path: string): void {
  const recorded = world.files.readIfExists(path);
  if (recorded === undefined) return;
  try {
    const { windowBytes, windows } = parseTouchOrder(recorded);
    if (windowBytes !== touchWindowBytes) return;
    // a reader that needs the bytes meets the same error, and reports it
    cache.prefetch(windows).catch(() => undefined);
  } catch {
    // a torn record: nothing is known about the last time
  }
}

async function closeWithTouches(world: SandboxWorld, cache: ChunkCache, path: string): Promise<void> {
  try {
    const windows = cache.recordedTouches();
    if (windows.length > 0) {
      world.files.replaceLoosely(path, encodeTouchOrder({ windowBytes: touchWindowBytes, windows }));
    }
  } finally {
    await cache.close();
  }
}
