import type { Manifest } from "../../formats/manifest-format.ts";
import type { ImageName } from "../../ids.ts";
import type { StreamedImage } from "../../streamed-image.ts";
import { openImage } from "../read/layered-image.ts";
import type { ImageRepository } from "../repository/image-repository.ts";
import type { BlockWrite } from "./block-writes.ts";
import { type CommittedImage, commitBlocks } from "./commit-blocks.ts";

export interface FlattenOptions {
  readonly name?: ImageName | undefined;
  readonly signal: AbortSignal;
  /** Bytes of data read and stored anew. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/** A new image with the same bytes in one layer and without ancestors. The old one stays. */
export async function flattenImage(
  repository: ImageRepository,
  manifest: Manifest,
  options: FlattenOptions,
): Promise<CommittedImage> {
  const { sizeBytes, blockSizeBytes, labels } = manifest;
  const image = openImage(repository, manifest);
  try {
    return await commitBlocks(repository, imageBlocks(image, options.signal), {
      ...options,
      sizeBytes,
      blockSizeBytes,
      labels,
    });
  } finally {
    await image.close();
  }
}

/** Everything an image holds, as writes of whole blocks. */
async function* imageBlocks(image: StreamedImage, signal: AbortSignal): AsyncGenerator<BlockWrite> {
  const { sizeBytes, blockSizeBytes } = image;
  for (const extent of image.extents({ offsetBytes: 0, lengthBytes: sizeBytes })) {
    let blockIndex = extent.offsetBytes / blockSizeBytes;
    if (extent.kind === "zero") {
      yield { blockIndex, zeroBlocks: Math.ceil(extent.lengthBytes / blockSizeBytes) };
      continue;
    }
    for await (const data of image.stream(extent, signal)) {
      yield { blockIndex, data };
      blockIndex += data.length / blockSizeBytes;
    }
  }
}
