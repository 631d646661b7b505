import { KeyframeError } from "../base/errors.ts";
import type { ByteRange, ImageExtent } from "./streamed-image.ts";

/** An image that does not change, read at any position as a file is. */
export interface RandomAccessImage {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /**
   * Fills `into` and returns how many bytes there were: fewer only at the end of the image, 0 past it. The answer is
   * a plain number where no waiting was needed. A position that is no position is `invalid-input`.
   */
  read(into: Buffer, offsetBytes: number, signal?: AbortSignal): number | Promise<number>;
  /** Runs that cover the range, cut at the end of the image, in order, without I/O. */
  extents(range: ByteRange): Iterable<ImageExtent>;
  close(): Promise<void>;
}

/** The bytes of a read that lie inside an image. */
export function clippedLength(offsetBytes: number, lengthBytes: number, sizeBytes: number): number {
  if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0) {
    throw new KeyframeError("invalid-input", `${offsetBytes} is not a position in an image`);
  }
  return Math.max(0, Math.min(lengthBytes, sizeBytes - offsetBytes));
}

export const maxImageBlocks = 2 ** 32 - 1;

/** Refuses a geometry that no bitset here can hold. */
export function checkGeometry(image: { readonly sizeBytes: number; readonly blockSizeBytes: number }): void {
  const { sizeBytes, blockSizeBytes } = image;
  const isPower = Number.isInteger(Math.log2(blockSizeBytes));
  if (!isPower || blockSizeBytes < 512 || blockSizeBytes > 32 * 1024 * 1024) {
    throw new KeyframeError(
      "invalid-input",
      `${blockSizeBytes} is not a block size (a power of two from 512)`,
    );
  }
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new KeyframeError("invalid-input", `${sizeBytes} is not the size of an image`);
  }
  if (sizeBytes / blockSizeBytes > maxImageBlocks) {
    throw new KeyframeError(
      "too-large",
      `an image of ${sizeBytes} bytes has more than ${maxImageBlocks} blocks`,
    );
  }
}
