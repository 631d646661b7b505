import { join, resolve } from "node:path";
import { errorText } from "../../../base/errors.ts";
import type { BlockDevice } from "../../../blocks/block-device.ts";
import { readOnlyDevice } from "../../../blocks/block-device.ts";
import { openCacheFolder } from "../../../blocks/cache/cache-directory.ts";
import { type ChunkCache, openChunkCache } from "../../../blocks/cache/chunk-cache.ts";
import { encodeTouchOrder, parseTouchOrder } from "../../../blocks/cache/touch-order.ts";
import { touchWindowBytes } from "../../../blocks/cache/touch-recorder.ts";
import type { ImageReader } from "../../../blocks/image-reader.ts";
import { readStoredTouches, storeTouches } from "../../../blocks/images/read/stored-touches.ts";
import { openOverlay } from "../../../blocks/overlay/overlay.ts";
import { openNodeBlockFile } from "../../../system/files/block-file.ts";
import type { CliContext } from "../../command/context.ts";
import type { DeviceFlags } from "./device-flags.ts";
import { type OpenedImage, openImage } from "./open-image.ts";

/** The image as a disk: through a cache if its bytes are elsewhere or `--cache` asks for it, under an overlay if one is given. */
export async function openDevice(
  context: CliContext,
  pathOrName: string,
  flags: DeviceFlags,
): Promise<BlockDevice> {
  const opened = await openImage(context, pathOrName, flags);
  const image = openImageReader(context, opened, flags);
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
export function openImageReader(context: CliContext, opened: OpenedImage, flags: DeviceFlags): ImageReader {
  const { source, id, local } = opened;
  if (flags.cache === undefined && local !== undefined) return local;
  const { sizeBytes, blockSizeBytes } = source;
  const folder = join(resolve(context.cwd, flags.cache ?? defaultCacheFolder(context)), id.toString("hex"));
  const system = { ...context, openBlockFile: openNodeBlockFile };
  const tracking = flags.tracking === undefined ? {} : { trackingBytes: flags.tracking };
  const store = openCacheFolder({ folder, imageId: id, sizeBytes, blockSizeBytes, ...tracking }, system);
  const chunk = flags.chunk === undefined ? {} : { chunkBytes: flags.chunk };
  const cache = openChunkCache({ source, store, recordTouches: true, ...chunk });
  return withPrefetch(context, cache, {
    path: join(folder, "touches"),
    stored: opened.stored,
    // what others see is changed only where it is the user's own, or by request
    share: flags.store === undefined || flags.shareTouches === true,
  });
}

interface TouchPlaces {
  /** The order of the last time on this machine. */
  readonly path: string;
  /** The image in its store, where the order of the first time lies beside the manifest. */
  readonly stored: OpenedImage["stored"];
  readonly share: boolean;
}

/** How long the end of a command may wait for the store to take a touch order. */
const shareLimitMs = 5000;

/** Brings what was read first the last time, in that order, and remembers the order of this time. */
function withPrefetch(context: CliContext, cache: ChunkCache, places: TouchPlaces): ImageReader {
  const { path, stored, share } = places;
  const note = (error: unknown) => context.terminal.note(`prefetch stopped: ${errorText(error)}`);
  const closed = new AbortController();
  const replayed = replay().catch((error: unknown) => {
    if (!closed.signal.aborted) note(error);
  });

  async function replay(): Promise<void> {
    const recorded = context.files.readIfExists(path);
    const order =
      recorded !== undefined
        ? parseTouchOrder(recorded)
        : stored && (await readStoredTouches({ ...stored, signal: closed.signal }));
    if (order?.windowBytes === touchWindowBytes) await cache.prefetch(order.windows, closed.signal);
  }

  async function remember(windows: Uint32Array): Promise<void> {
    if (windows.length === 0) return;
    const order = { windowBytes: touchWindowBytes, windows };
    context.files.replaceLoosely(path, encodeTouchOrder(order));
    if (stored === undefined || !share) return;
    const signal = AbortSignal.timeout(shareLimitMs);
    await storeTouches({ ...stored, signal }, order).catch((error: unknown) =>
      context.terminal.note(`the order of first reads was not stored: ${errorText(error)}`),
    );
  }

  return {
    ...cache,
    async close() {
      closed.abort(new Error("closed"));
      await replayed;
      try {
        await remember(cache.recordedTouches());
      } finally {
        await cache.close();
      }
    },
  };
}

function defaultCacheFolder(context: CliContext): string {
  const base = context.env["XDG_CACHE_HOME"] ?? join(context.env["HOME"] ?? context.cwd, ".cache");
  return join(base, "keyframe", "images");
}
