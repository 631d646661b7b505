/**
 * One bit per block in a flat array: 128 bytes for 1,024 blocks. Ranges are `[start, end)`; none of the calls
 * allocates.
 */
export interface BlockBitset {
  readonly sizeBlocks: number;
  /** The words behind the bits: bit `n` is bit `n & 31` of word `n >>> 5`. */
  readonly words: Uint32Array;
  has(block: number): boolean;
  /** True if every bit of the range is set; an empty range is. */
  hasAll(start: number, end: number): boolean;
  set(start: number, end: number): void;
  clear(start: number, end: number): void;
  /** First block at or after `start` whose bit is set, or `end`. */
  nextSet(start: number, end: number): number;
  /** First block at or after `start` whose bit is clear, or `end`. */
  nextClear(start: number, end: number): number;
  countSet(): number;
}

export function createBlockBitset(
  sizeBlocks: number,
  words: Uint32Array = new Uint32Array(wordCount(sizeBlocks)),
): BlockBitset {
  function find(start: number, end: number, flip: number): number {
    if (start >= end) return end;
    let index = start >>> 5;
    let word = ((words[index] ?? 0) ^ flip) & (-1 << (start & 31));
    const last = (end - 1) >>> 5;
    while (word === 0) {
      if (index === last) return end;
      index += 1;
      word = (words[index] ?? 0) ^ flip;
    }
    const found = index * 32 + (31 - Math.clz32(word & -word));
    return Math.min(found, end);
  }

  function change(start: number, end: number, on: boolean): void {
    let block = start;
    while (block < end) {
      const index = block >>> 5;
      const wordEnd = Math.min(end, (index + 1) * 32);
      const mask = maskOf(block & 31, wordEnd - index * 32);
      words[index] = on ? (words[index] ?? 0) | mask : (words[index] ?? 0) & ~mask;
      block = wordEnd;
    }
  }

  return {
    sizeBlocks,
    words,
    has: (block) => (((words[block >>> 5] ?? 0) >>> (block & 31)) & 1) === 1,
    hasAll: (start, end) => find(start, end, -1) === end,
    set: (start, end) => change(start, end, true),
    clear: (start, end) => change(start, end, false),
    nextSet: (start, end) => find(start, end, 0),
    nextClear: (start, end) => find(start, end, -1),
    countSet() {
      let count = 0;
      for (const word of words) count += bitsIn(word);
      return count;
    },
  };
}

export function wordCount(sizeBlocks: number): number {
  return Math.ceil(sizeBlocks / 32);
}

/** Ones at `[from, to)` of a word, `to` at most 32. */
function maskOf(from: number, to: number): number {
  const upTo = to === 32 ? -1 : (1 << to) - 1;
  return upTo & (-1 << from);
}

function bitsIn(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
