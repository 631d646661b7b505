/** Numbers that a seed decides, so that a failing run can be played again (mulberry32). */
export interface SeededRandom {
  /** From 0 to `end` - 1. */
  below(end: number): number;
  pick<T>(list: readonly T[]): T;
  bytes(count: number): Buffer;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (end: number) => next() % end;
  return {
    below,
    pick<T>(list: readonly T[]): T {
      const found = list[below(list.length)];
      if (found === undefined) throw new RangeError("there is nothing to pick from");
      return found;
    },
    bytes(count) {
      const bytes = Buffer.allocUnsafe(count);
      for (let at = 0; at < count; at += 1) bytes.writeUInt8(next() & 0xff, at);
      return bytes;
    },
  };
}
