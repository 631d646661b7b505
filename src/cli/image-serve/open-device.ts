import { join, resolve } from "node:path";
import { errorText } from "../../base/errors.ts";
import type { BlockDevice } from "../../blocks/block-device.ts";
import { readOnlyDevice } from "../../blocks/block-device.ts";
import { openCacheFolder } from "../../blocks/cache-folder.ts";
import { type ChunkCache, openChunkCache } from "../../blocks/chunk-cache.ts";
import type { ImageReader } from "../../blocks/image-reader.ts";
import { openOverlay } from "../../blocks/overlay.ts";
import { encodeTouchOrder, parseTouchOrder } from "../../blocks/touch-order.ts";
import { touchWindowBytes } from "../../blocks/touch-recorder.ts";
import { openNodeBlockFile } from "../../system/block-file.ts";
import type { CliContext } from "../context.ts";
import { type OpenedImage, openImage } from "./open-image.ts";

export interface DeviceFlags {
  readonly store?: string;
  readonly overlay?: string;
  readonly cache?: string;
  readonly readOnly?: boolean;
}

/** The image as a disk: through a cache if its bytes are elsewhere or `--cache` asks for it, under an overlay if one is given. */
export async function openDevice(
  context: CliContext,
  pathOrName: string,
  flags: DeviceFlags,
): Promise<BlockDevice> {
  const opened = await openImage(context, pathOrName, flags);
  const image = openImageReader(context, opened, flags.cache);
  if (flags.overlay === undefined) return readOnlyDevice(image);
  try {
    return await openOverlay(
      {
        folder: resolve(context.cwd, flags.overlay),
        parent: image,
        parentId: opened.id,
        readOnly: flags.readOnly === true,
      },
      { files: context.files, openBlockFile: openNodeBlockFile },
    );
  } catch (error) {
    await image.close();
    throw error;
  }
}

/** Reads an image through the cache folder, unless its bytes are on this machine as they are. */
export function openImageReader(
  context: CliContext,
  { source, id, local }: OpenedImage,
  cache: string | undefined,
): ImageReader {
  if (cache === undefined && local !== undefined) return local;
  const { sizeBytes, blockSizeBytes } = source;
  const folder = join(resolve(context.cwd, cache ?? defaultCacheFolder(context)), id.toString("hex"));
  const system = { ...context, openBlockFile: openNodeBlockFile };
  const store = openCacheFolder({ folder, imageId: id, sizeBytes, blockSizeBytes }, system);
  return withPrefetch(
    context,
    openChunkCache({ source, store, recordTouches: true }),
    join(folder, "touches"),
  );
}

/** Brings what was read first the last time, in that order, and remembers the order of this time. */
function withPrefetch(context: CliContext, cache: ChunkCache, path: string): ImageReader {
  const recorded = context.files.readIfExists(path);
  if (recorded !== undefined) replay(context, cache, recorded);
  return {
    ...cache,
    async close() {
      const windows = cache.recordedTouches();
      try {
        if (windows.length > 0) {
          context.files.replaceLoosely(path, encodeTouchOrder({ windowBytes: touchWindowBytes, windows }));
        }
      } finally {
        await cache.close();
      }
    },
  };
}

function replay(context: CliContext, cache: ChunkCache, recorded: Buffer): void {
  const note = (error: unknown) => context.terminal.note(`prefetch stopped: ${errorText(error)}`);
  try {
    const order = parseTouchOrder(recorded);
    if (order.windowBytes !== touchWindowBytes) return;
    cache.prefetch(order.windows).catch(note);
  } catch (error) {
    note(error);
  }
}

function defaultCacheFolder(context: CliContext): string {
  const base = context.env["XDG_CACHE_HOME"] ?? join(context.env["HOME"] ?? context.cwd, ".cache");
  return join(base, "keyframe", "images");
}
