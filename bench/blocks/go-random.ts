const mask64 = (1n << 64n) - 1n;
const mask128 = (1n << 128n) - 1n;
const multiplier = (2549297995355413924n << 64n) | 4865540595714422341n;
const increment = (6364136223846793005n << 64n) | 1442695040888963407n;

/** The generator of Go's math/rand/v2 (PCG-DXSM), so that the workload's offsets are the published ones. */
export function createGoRandom(high: number, low: number): () => bigint {
  let state = (BigInt(high) << 64n) | BigInt(low);
  return () => {
    state = (state * multiplier + increment) & mask128;
    let h = state >> 64n;
    const l = state & mask64;
    h ^= h >> 32n;
    h = (h * 0xda942042e4dd58b5n) & mask64;
    h ^= h >> 48n;
    return (h * (l | 1n)) & mask64;
  };
}

/** Triples of block numbers below 1,024: seed (42, 0), 500 triples. */
export function randomAccessTriples(): number[][] {
  const next = createGoRandom(42, 0);
  return Array.from({ length: 500 }, () => [0, 1, 2].map(() => Number(next() & 1023n)));
}
