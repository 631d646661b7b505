import { assert } from "../../../base/assert.ts";

/** Consecutive blocks of an image: their bytes, or that they are zeros. */
export type BlockWrite =
  | { readonly blockIndex: number; readonly data: Buffer }
  | { readonly blockIndex: number; readonly zeroBlocks: number };

/** Consecutive blocks that are all of one kind; data has whole blocks. */
export type ClassifiedBlocks =
  | { readonly startBlock: number; readonly blockCount: number; readonly data: Buffer }
  | { readonly startBlock: number; readonly blockCount: number; readonly data: undefined };

/**
 * Cuts writes into runs of data and runs of zeros: blocks whose bytes are all zero become zeros. A last partial block
 * is filled up with zeros. Writes must be ascending and apart. Data shares memory with the writes.
 */
export async function* classifyBlocks(
  writes: AsyncIterable<BlockWrite> | Iterable<BlockWrite>,
  blockSizeBytes: number,
): AsyncGenerator<ClassifiedBlocks> {
  const zeros = Buffer.alloc(blockSizeBytes);
  let end = 0;
  let isPadded = false;
  for await (const write of writes) {
    assert(write.blockIndex >= end && !isPadded, `block ${write.blockIndex} is written after block ${end}`);
    if ("zeroBlocks" in write) {
      end = write.blockIndex + write.zeroBlocks;
      if (write.zeroBlocks > 0)
        yield { startBlock: write.blockIndex, blockCount: write.zeroBlocks, data: undefined };
      continue;
    }
    const data = wholeBlocks(write.data, blockSizeBytes);
    isPadded = data !== write.data;
    const blockCount = data.length / blockSizeBytes;
    end = write.blockIndex + blockCount;
    let start = 0;
    while (start < blockCount) {
      const isZero = zeroBlockAt(data, start, zeros);
      let next = start + 1;
      while (next < blockCount && zeroBlockAt(data, next, zeros) === isZero) next += 1;
      const startBlock = write.blockIndex + start;
      yield isZero
        ? { startBlock, blockCount: next - start, data: undefined }
        : {
            startBlock,
            blockCount: next - start,
            data: data.subarray(start * blockSizeBytes, next * blockSizeBytes),
          };
      start = next;
    }
  }
}

function zeroBlockAt(data: Buffer, block: number, zeros: Buffer): boolean {
  const at = block * zeros.length;
  return data[at] === 0 && data.compare(zeros, 0, zeros.length, at, at + zeros.length) === 0;
}

function wholeBlocks(data: Buffer, blockSizeBytes: number): Buffer {
  const rest = data.length % blockSizeBytes;
  return rest === 0 ? data : Buffer.concat([data, Buffer.alloc(blockSizeBytes - rest)]);
}
