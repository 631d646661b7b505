import { join, resolve } from "node:path";
import type { RandomAccessImage } from "../../../blocks/random-access-image.ts";
import type { WritableDisk } from "../../../blocks/writable-disk.ts";
import { openNodeSparseFile } from "../../../system/files/sparse-file.ts";
import {
  type CacheRequest,
  type ImageToOpen,
  openDevice,
  openReader,
} from "../../../workflows/open-device.ts";
import type { CliContext } from "../../command/context.ts";
import type { DeviceFlags } from "./device-flags.ts";
import { findImageToOpen } from "./open-image.ts";

/** The image as the disk that the flags describe. */
export async function openFlaggedDevice(
  context: CliContext,
  pathOrName: string,
  flags: DeviceFlags,
): Promise<WritableDisk> {
  const found = await findImageToOpen(context, pathOrName, flags);
  const overlay =
    flags.overlay === undefined
      ? {}
      : { overlay: { folder: resolve(context.cwd, flags.overlay), readOnly: flags.readOnly === true } };
  return openDevice(found, { cache: cacheRequest(context, flags), ...overlay }, systemOf(context));
}

export function openFlaggedReader(
  context: CliContext,
  found: ImageToOpen,
  flags: DeviceFlags,
): RandomAccessImage {
  return openReader(found, cacheRequest(context, flags), systemOf(context));
}

function cacheRequest(context: CliContext, flags: DeviceFlags): CacheRequest {
  return {
    folder: resolve(context.cwd, flags.cache ?? defaultCacheFolder(context)),
    always: flags.cache !== undefined,
    // what others see is changed only where it is the user's own, or by request
    shareTouches: flags.store === undefined || flags.shareTouches === true,
    note: (text) => context.terminal.note(text),
    ...(flags.chunk === undefined ? {} : { chunkBytes: flags.chunk }),
    ...(flags.tracking === undefined ? {} : { trackingBytes: flags.tracking }),
  };
}

function systemOf(context: CliContext) {
  return { ...context, openSparseFile: openNodeSparseFile };
}

function defaultCacheFolder(context: CliContext): string {
  const base = context.env["XDG_CACHE_HOME"] ?? join(context.env["HOME"] ?? context.cwd, ".cache");
  return join(base, "keyframe", "images");
}
