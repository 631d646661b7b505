import { createBlockBitset } from "../block-bitset.ts";

/** What one recorded touch stands for: 256 KiB, so that a chunk of 4 MiB costs at most 66 bytes. */
export const touchWindowBytes = 256 * 1024;

/** The windows of an image in the order of their first read. */
export interface TouchRecorder {
  note(offsetBytes: number, lengthBytes: number): void;
  inOrder(): Uint32Array;
}

export function createAccessRecorder(sizeBytes: number): TouchRecorder {
  const seen = createBlockBitset(Math.ceil(sizeBytes / touchWindowBytes));
  let order = new Uint32Array(64);
  let count = 0;

  function append(window: number): void {
    if (count === order.length) {
      const grown = new Uint32Array(order.length * 2);
      grown.set(order);
      order = grown;
    }
    order[count] = window;
    count += 1;
  }

  return {
    note(offsetBytes, lengthBytes) {
      const last = Math.floor((offsetBytes + lengthBytes - 1) / touchWindowBytes);
      for (let window = Math.floor(offsetBytes / touchWindowBytes); window <= last; window += 1) {
        if (seen.has(window)) continue;
        seen.set(window, window + 1);
        append(window);
      }
    },
    inOrder: () => order.slice(0, count),
  };
}
