import { KeyframeError } from "../../base/errors.ts";
import type { SparseFile } from "../../system/files/sparse-file.ts";
import { type BlockBitset, createBlockBitset } from "../block-bitset.ts";
import { checkGeometry } from "../random-access-image.ts";

/** Where a chunk cache keeps bytes and which of them it has. */
export interface CacheStore {
  /** As large as the image at least; a hole wherever nothing was written. */
  readonly file: SparseFile;
  readonly trackingBytes: number;
  /** One bit for each `trackingBytes` of the image. */
  readonly bits: BlockBitset;
  /** Called after the bits of these bytes were set. */
  noteArrived(lengthBytes: number): void;
  close(): Promise<void>;
}

export interface CacheGeometry {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /** Block size by default. A granule is marked only when it is there whole. */
  readonly trackingBytes?: number;
}

export function trackedGranules({
  sizeBytes,
  blockSizeBytes,
  trackingBytes = blockSizeBytes,
}: CacheGeometry): number {
  checkGeometry({ sizeBytes, blockSizeBytes });
  if (trackingBytes <= 0 || trackingBytes % blockSizeBytes !== 0) {
    throw new KeyframeError(
      "invalid-input",
      `the tracking size ${trackingBytes} is not a multiple of ${blockSizeBytes} bytes`,
    );
  }
  return Math.ceil(sizeBytes / trackingBytes);
}

/** A store that is forgotten when it is closed. The file is the caller's to remove. */
export function createScratchStore(file: SparseFile, geometry: CacheGeometry): CacheStore {
  const granules = trackedGranules(geometry);
  file.truncate(0);
  file.truncate(geometry.sizeBytes);
  return {
    file,
    trackingBytes: geometry.trackingBytes ?? geometry.blockSizeBytes,
    bits: createBlockBitset(granules),
    noteArrived: () => undefined,
    close: () => file.close(),
  };
}
