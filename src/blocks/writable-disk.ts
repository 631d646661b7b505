import { KeyframeError } from "../base/errors.ts";
import type { RandomAccessImage } from "./random-access-image.ts";
import type { ByteRange } from "./streamed-image.ts";

export interface WriteZeroesOptions {
  /** Keep room on the disk for later writes to the range. */
  readonly keepAllocated?: boolean;
}

/**
 * A disk. Any alignment; a range that is not inside the disk is `invalid-input`. Calls may overlap in time: of two
 * overlapping writes one comes after the other. Answers that need no waiting are no promises.
 */
export interface WritableDisk extends RandomAccessImage {
  readonly readOnly: boolean;
  /** Takes all of `from`, which the caller leaves alone until the answer. */
  write(from: Buffer, offsetBytes: number): void | Promise<void>;
  writeZeroes(range: ByteRange, options?: WriteZeroesOptions): void | Promise<void>;
  /** The caller does not need the range any more: its whole blocks read as zeros from now on. */
  trim(range: ByteRange): void | Promise<void>;
  /** Resolves when every write that was answered before the call survives a power cut. */
  flush(): Promise<void>;
}

/** An image as a disk that refuses every change. */
export function readOnlyDevice(image: RandomAccessImage): WritableDisk {
  const refuse = () => {
    throw new KeyframeError("refused", "this disk is read-only");
  };
  return {
    sizeBytes: image.sizeBytes,
    blockSizeBytes: image.blockSizeBytes,
    readOnly: true,
    read: (into, offsetBytes, signal) => image.read(into, offsetBytes, signal),
    extents: (range) => image.extents(range),
    write: refuse,
    writeZeroes: refuse,
    trim: refuse,
    flush: () => Promise.resolve(),
    close: () => image.close(),
  };
}

export function checkInside({ offsetBytes, lengthBytes }: ByteRange, sizeBytes: number): void {
  const valid = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes);
  if (valid && offsetBytes >= 0 && lengthBytes >= 0 && offsetBytes + lengthBytes <= sizeBytes) return;
  throw new KeyframeError(
    "invalid-input",
    `${lengthBytes} bytes at ${offsetBytes} are not inside a disk of ${sizeBytes} bytes`,
  );
}
