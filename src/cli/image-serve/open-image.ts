import { resolve } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { ImageReader } from "../../blocks/image-reader.ts";
import type { ImageSource } from "../../blocks/image-source.ts";
import { openRawImage } from "../../blocks/raw-image.ts";
import { openNodeBlockFile } from "../../system/block-file.ts";
import type { CliContext } from "../context.ts";

export interface OpenedImage {
  readonly source: ImageSource;
  /** 32 bytes that name the content: caches and overlays hold on to it. */
  readonly id: Buffer;
  /** Set if the bytes are on this machine already, so that a cache would only copy them. */
  readonly local?: ImageReader;
}

/**
 * INTEGRATION: the one place where `image serve` and `image mount` find an image. A path to a plain file is served as it
 * is; names of stored images are looked up here too.
 */
export async function openImage(context: CliContext, pathOrName: string): Promise<OpenedImage> {
  const path = resolve(context.cwd, pathOrName);
  const stat = context.files.statTargetIfExists(path);
  if (stat === undefined) {
    throw new KeyframeError("not-found", `there is no image ${pathOrName}`, {
      hint: "name a raw disk image file",
    });
  }
  if (stat.kind !== "file") {
    throw new KeyframeError("invalid-input", `${pathOrName} is not a disk image file`, {
      hint: "name a raw disk image file",
    });
  }
  const image = openRawImage(openNodeBlockFile(path, { mode: "read" }));
  // a file that was changed or replaced is another image
  const identity = [path, stat.device, stat.inode, stat.sizeBytes, stat.mtimeMs].join("\n");
  return { source: image, id: Buffer.from(sha256Hex(identity), "hex"), local: image };
}
