import { type BlockBitset, createBlockBitset } from "../block-bitset.ts";
import type { Presence } from "./presence.ts";

/** A run of blocks, `[startBlock, endBlock)`. */
export interface BlockRange {
  readonly startBlock: number;
  readonly endBlock: number;
}

/**
 * What has arrived of one chunk while it is being fetched. With one bit per block that is the presence itself; with
 * coarser tracking a bitset of the chunk's blocks stands in until a whole granule is there.
 */
export interface ChunkProgress {
  hasAll(startBlock: number, endBlock: number): boolean;
  nextAbsent(startBlock: number, endBlock: number): number;
  nextPresent(startBlock: number, endBlock: number): number;
  mark(startBlock: number, endBlock: number): void;
  /** True if dropping this object would lose what has arrived. */
  holdsMoreThanPresence(): boolean;
}

export function createChunkProgress(presence: Presence, chunk: BlockRange): ChunkProgress {
  if (presence.granuleBlocks === 1) return { ...presence, holdsMoreThanPresence: () => false };
  return coarseArrivals(presence, chunk);
}

function coarseArrivals(presence: Presence, { startBlock: base, endBlock }: BlockRange): ChunkProgress {
  const here: BlockBitset = createBlockBitset(endBlock - base);
  let block = presence.nextPresent(base, endBlock);
  while (block < endBlock) {
    const absent = presence.nextAbsent(block, endBlock);
    here.set(block - base, absent - base);
    block = presence.nextPresent(absent, endBlock);
  }
  return {
    hasAll: (start, end) => here.hasAll(start - base, end - base),
    nextAbsent: (start, end) => here.nextClear(start - base, end - base) + base,
    nextPresent: (start, end) => here.nextSet(start - base, end - base) + base,
    mark(start, end) {
      here.set(start - base, end - base);
      const granule = presence.granuleBlocks;
      const last = Math.ceil(end / granule);
      for (let index = Math.floor(start / granule); index < last; index += 1) {
        const granuleEnd = Math.min((index + 1) * granule, endBlock);
        if (here.hasAll(index * granule - base, granuleEnd - base))
          presence.mark(index * granule, granuleEnd);
      }
    },
    holdsMoreThanPresence: () =>
      !presence.hasAll(base, endBlock) && here.nextSet(0, endBlock - base) < endBlock - base,
  };
}
