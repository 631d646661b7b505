import { randomFillSync } from "node:crypto";

/** Where unpredictable bytes come from. */
export interface Random {
  bytes(count: number): Buffer;
}

export const nodeRandom: Random = { bytes: (count) => randomFillSync(Buffer.alloc(count)) };

/** The same bytes for the same seed (xorshift32): for tests and golden output only. */
export function createFakeRandom(seed = 1): Random {
  let state = seed >>> 0 || 1;
  return {
    bytes(count) {
      const bytes = Buffer.alloc(count);
      for (let index = 0; index < count; index += 1) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        bytes[index] = state & 0xff;
      }
      return bytes;
    },
  };
}

/** Random lower-case hex digits. */
export function randomHex(random: Random, digits: number): string {
  return random
    .bytes(Math.ceil(digits / 2))
    .toString("hex")
    .slice(0, digits);
}
