import { clippedLength, type RandomAccessImage } from "../../src/blocks/random-access-image.ts";
import { settle } from "./memory-image.ts";

/** Bytes as an image; `slow` answers after the event loop has turned. */
export function memoryReader(
  content: Buffer,
  { blockSizeBytes = 4096, slow = false } = {},
): RandomAccessImage {
  const read = (into: Buffer, offsetBytes: number) => {
    const lengthBytes = clippedLength(offsetBytes, into.length, content.length);
    content.copy(into, 0, offsetBytes, offsetBytes + lengthBytes);
    return lengthBytes;
  };
  return {
    sizeBytes: content.length,
    blockSizeBytes,
    read: (into, offsetBytes) =>
      slow ? settle(2).then(() => read(into, offsetBytes)) : read(into, offsetBytes),
    *extents({ offsetBytes, lengthBytes }) {
      if (lengthBytes > 0) yield { offsetBytes, lengthBytes, kind: "data" };
    },
    close: () => Promise.resolve(),
  };
}
