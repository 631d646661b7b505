import { resolve } from "node:path";
import { sha256Hex } from "../../../base/digest.ts";
import { openImage } from "../../../blocks/images/read/layered-image.ts";
import { findImage } from "../../../blocks/images/read/read-image.ts";
import { openRawImage } from "../../../blocks/raw-image.ts";
import type { StreamedImage } from "../../../blocks/streamed-image.ts";
import { openNodeSparseFile } from "../../../system/files/sparse-file.ts";
import type { ImageToOpen } from "../../../workflows/open-device.ts";
import type { CliContext } from "../../command/context.ts";
import { openImageSession } from "./open-repository.ts";

/**
 * Finds an image: a path to a plain file is taken as it is, anything else is a name or id in the store.
 * @throws KeyframeError `not-found`
 */
export async function findImageToOpen(
  context: CliContext,
  pathOrName: string,
  flags: { readonly store?: string },
): Promise<ImageToOpen> {
  const path = resolve(context.cwd, pathOrName);
  const stat = context.files.statTargetIfExists(path);
  if (flags.store === undefined && stat?.kind === "file") {
    const image = openRawImage(openNodeSparseFile(path, { mode: "read" }));
    // a file that was changed or replaced is another image
    const identity = [path, stat.device, stat.inode, stat.sizeBytes, stat.mtimeMs].join("\n");
    return { source: image, id: Buffer.from(sha256Hex(identity), "hex"), local: image };
  }
  const session = await openImageSession(context, flags);
  try {
    const { id, manifest } = await findImage(session.repository.store, pathOrName, session.signal);
    const image = openImage(session.repository, manifest);
    const stored = { store: session.repository.store, id };
    return { source: withSession(image, session), id: Buffer.from(id, "hex"), stored };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** An image that closes the session with its store when it is closed. */
function withSession(image: StreamedImage, session: { close(): Promise<void> }): StreamedImage {
  return {
    sizeBytes: image.sizeBytes,
    blockSizeBytes: image.blockSizeBytes,
    stream: (range, signal) => image.stream(range, signal),
    extents: (range) => image.extents(range),
    async close() {
      await image.close();
      await session.close();
    },
  };
}
