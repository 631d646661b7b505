import type { Manifest } from "../../formats/manifest-format.ts";
import type { ImageId, ImageName } from "../../ids.ts";
import type { FoundImage } from "../read/read-image.ts";
import type { ImageRepository } from "../repository/image-repository.ts";
import { takeUploadLease } from "../repository/leases.ts";
import type { BlockWrite } from "./block-writes.ts";
import { composeManifest, publishImage } from "./publish-image.ts";
import { type WrittenLayer, writeLayer } from "./write-layer.ts";

export interface CommitOptions {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /** What the blocks that are not written read as; zeros without a parent. */
  readonly parent?: FoundImage | undefined;
  readonly name?: ImageName | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((rawBytes: number) => void) | undefined;
}

export interface CommittedImage extends WrittenLayer {
  readonly id: ImageId;
  readonly manifest: Manifest;
}

/** Stores blocks (ascending, apart) as a layer and publishes the image that has them over its parent. */
export async function commitBlocks(
  repository: ImageRepository,
  writes: AsyncIterable<BlockWrite> | Iterable<BlockWrite>,
  options: CommitOptions,
): Promise<CommittedImage> {
  const { store, clock, random } = repository;
  const { sizeBytes, blockSizeBytes, parent, name, labels = {}, signal } = options;
  const lease = await takeUploadLease({ store, clock, random, signal });
  try {
    const written = await writeLayer(repository, writes, {
      blockSizeBytes,
      signal,
      onProgress: options.onProgress,
    });
    const manifest = composeManifest(written, { sizeBytes, blockSizeBytes, parent, labels });
    const id = await publishImage(store, { manifest }, { name, lease, signal });
    return { ...written, id, manifest };
  } finally {
    await lease.release();
  }
}
