import type { BlockBitset } from "../block-bitset.ts";

/** Which blocks of an image are in the cache file: one bit per granule of one or more blocks. */
export interface Presence {
  readonly granuleBlocks: number;
  /** One bit per granule. */
  readonly bits: BlockBitset;
  hasAll(startBlock: number, endBlock: number): boolean;
  /** First block at or after `start` that is absent, or `end`. */
  nextAbsent(startBlock: number, endBlock: number): number;
  /** First block at or after `start` that is present, or `end`. */
  nextPresent(startBlock: number, endBlock: number): number;
  /** Marks the granules that lie whole in the range, or reach from it over the end of the image. */
  mark(startBlock: number, endBlock: number): void;
}

export interface PresenceGeometry {
  readonly sizeBlocks: number;
  readonly granuleBlocks: number;
}

export function createPresence(bits: BlockBitset, { sizeBlocks, granuleBlocks }: PresenceGeometry): Presence {
  const granuleOf = (block: number) => Math.floor(block / granuleBlocks);
  const granulesUpTo = (block: number) => Math.ceil(block / granuleBlocks);
  return {
    granuleBlocks,
    bits,
    hasAll: (start, end) => start >= end || bits.hasAll(granuleOf(start), granulesUpTo(end)),
    nextAbsent(start, end) {
      const granule = bits.nextClear(granuleOf(start), granulesUpTo(end));
      return Math.min(end, Math.max(start, granule * granuleBlocks));
    },
    nextPresent(start, end) {
      const granule = bits.nextSet(granuleOf(start), granulesUpTo(end));
      return Math.min(end, Math.max(start, granule * granuleBlocks));
    },
    mark(start, end) {
      const first = granulesUpTo(start);
      const last = end === sizeBlocks ? granulesUpTo(end) : granuleOf(end);
      if (first < last) bits.set(first, last);
    },
  };
}
