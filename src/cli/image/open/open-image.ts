import { resolve } from "node:path";
import { sha256Hex } from "../../../base/digest.ts";
import type { ImageId } from "../../../blocks/ids.ts";
import type { ImageReader } from "../../../blocks/image-reader.ts";
import type { ImageSource } from "../../../blocks/image-source.ts";
import { openImage as openLayeredImage } from "../../../blocks/images/read/layered-image.ts";
import { findImage } from "../../../blocks/images/read/read-image.ts";
import { openRawImage } from "../../../blocks/raw-image.ts";
import type { ObjectStore } from "../../../blocks/stores/interface/object-store.ts";
import { openNodeBlockFile } from "../../../system/files/block-file.ts";
import type { CliContext } from "../../command/context.ts";
import { openImageSession } from "./open-repository.ts";

export interface OpenedImage {
  readonly source: ImageSource;
  /** 32 bytes that name the content: caches and overlays hold on to it. */
  readonly id: Buffer;
  /** Where the image's manifest is; undefined for a plain file. */
  readonly stored?: { readonly store: ObjectStore; readonly id: ImageId };
  /** Set if the bytes are on this machine already, so that a cache would only copy them. */
  readonly local?: ImageReader;
}

/**
 * Finds an image: a path to a plain file is taken as it is, anything else is a name or id in the store.
 * @throws KeyframeError `not-found`
 */
export async function openImage(
  context: CliContext,
  pathOrName: string,
  flags: { readonly store?: string },
): Promise<OpenedImage> {
  const path = resolve(context.cwd, pathOrName);
  const stat = context.files.statTargetIfExists(path);
  if (flags.store === undefined && stat?.kind === "file") {
    const image = openRawImage(openNodeBlockFile(path, { mode: "read" }));
    // a file that was changed or replaced is another image
    const identity = [path, stat.device, stat.inode, stat.sizeBytes, stat.mtimeMs].join("\n");
    return { source: image, id: Buffer.from(sha256Hex(identity), "hex"), local: image };
  }
  const session = await openImageSession(context, flags);
  try {
    const { id, manifest } = await findImage(session.repository.store, pathOrName, session.signal);
    const image = openLayeredImage(session.repository, manifest);
    const close = async () => {
      await image.close();
      await session.close();
    };
    const stored = { store: session.repository.store, id };
    return { source: { ...image, close }, id: Buffer.from(id, "hex"), stored };
  } catch (error) {
    await session.close();
    throw error;
  }
}
