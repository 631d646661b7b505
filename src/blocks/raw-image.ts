import type { SparseFile } from "../system/files/sparse-file.ts";
import { clippedLength, type RandomAccessImage } from "./random-access-image.ts";
import type { ByteRange, ImageExtent, StreamedImage } from "./streamed-image.ts";

const pieceBytes = 256 * 1024;
/** Reads from this length on run on another thread, beside the sending of the answers before. */
const minThreadReadBytes = 256 * 1024;
export const rawBlockSizeBytes = 4096;

/** A plain file as an image: read in place, or as the source of a cache. It must not change meanwhile. */
export function openRawImage(file: SparseFile): RandomAccessImage & StreamedImage {
  const sizeBytes = file.sizeBytes();

  async function* stream(range: ByteRange, signal: AbortSignal): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    const end = range.offsetBytes + range.lengthBytes;
    let position = range.offsetBytes;
    while (position < end) {
      signal.throwIfAborted();
      const pieceEnd = Math.min(end, (Math.floor(position / pieceBytes) + 1) * pieceBytes);
      const count = await file.read(buffer.subarray(0, pieceEnd - position), position);
      yield buffer.subarray(0, count);
      if (count < pieceEnd - position) return;
      position = pieceEnd;
    }
  }

  return {
    sizeBytes,
    blockSizeBytes: rawBlockSizeBytes,
    read(into, offsetBytes) {
      const lengthBytes = clippedLength(offsetBytes, into.length, sizeBytes);
      if (lengthBytes === 0) return 0;
      const target = lengthBytes === into.length ? into : into.subarray(0, lengthBytes);
      return lengthBytes < minThreadReadBytes
        ? file.readSync(target, offsetBytes)
        : file.read(target, offsetBytes);
    },
    stream,
    *extents(range): Generator<ImageExtent> {
      const lengthBytes = clippedLength(range.offsetBytes, range.lengthBytes, sizeBytes);
      yield* file.dataRuns({ offsetBytes: range.offsetBytes, lengthBytes });
    },
    close: () => file.close(),
  };
}
