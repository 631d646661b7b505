/**
 * SHA-256 (FIPS 180-4) whose state can be put away and taken up again: the digest of what only grows costs only what is
 * new. Node's own cannot be stored.
 */
export interface ResumableSha256 {
  update(bytes: Uint8Array): void;
  /** Lower-case hex of all bytes so far; more may follow. */
  digest(): string;
  /** Everything `resumeSha256` needs, as text. */
  save(): string;
}

const blockBytes = 64;

export function startSha256(): ResumableSha256 {
  return makeSha256(Int32Array.from(firstPrimes(8, 1 / 2)), Buffer.alloc(0), 0);
}

/** Takes up a saved state; undefined if the text is not one. */
export function resumeSha256(saved: string): ResumableSha256 | undefined {
  const match = /^([0-9a-f]{64})\.(\d{1,16})\.((?:[0-9a-f]{2}){0,63})$/.exec(saved);
  if (match?.[1] === undefined || match[3] === undefined) return undefined;
  const words = Buffer.from(match[1], "hex");
  const rest = Buffer.from(match[3], "hex");
  const totalBytes = Number(match[2]);
  if (totalBytes % blockBytes !== rest.length) return undefined;
  const state = Int32Array.from({ length: 8 }, (_, index) => words.readInt32BE(index * 4));
  return makeSha256(state, rest, totalBytes);
}

function makeSha256(state: Int32Array, begun: Buffer, hashedBytes: number): ResumableSha256 {
  let rest = begun;
  let totalBytes = hashedBytes;
  return {
    update(bytes) {
      totalBytes += bytes.length;
      const input = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const whole = input.length - (input.length % blockBytes);
      for (let at = 0; at < whole; at += blockBytes) compress(state, input, at);
      rest = Buffer.from(input.subarray(whole));
    },
    digest() {
      const last = Int32Array.from(state);
      const padded = Buffer.alloc(rest.length < blockBytes - 8 ? blockBytes : 2 * blockBytes);
      rest.copy(padded);
      padded[rest.length] = 0x80;
      padded.writeBigUInt64BE(BigInt(totalBytes) * 8n, padded.length - 8);
      for (let at = 0; at < padded.length; at += blockBytes) compress(last, padded, at);
      return hexOf(last);
    },
    save: () => `${hexOf(state)}.${totalBytes}.${rest.toString("hex")}`,
  };
}

function hexOf(words: Int32Array): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** The first 32 bits of the fractional part of a root of each of the first primes. */
function firstPrimes(count: number, power: number): number[] {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate += 1) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return primes.map((prime) => Math.floor((prime ** power % 1) * 2 ** 32) | 0);
}

const roundConstants = Int32Array.from(firstPrimes(64, 1 / 3));
const schedule = new Int32Array(64);

/** One block; the numbers of the rotations are those of the standard (sections 4.1.2 and 6.2.2). */
function compress(state: Int32Array, input: Uint8Array, offset: number): void {
  const w = schedule;
  for (let t = 0, at = offset; t < 16; t += 1, at += 4) {
    w[t] =
      ((input[at] ?? 0) << 24) |
      ((input[at + 1] ?? 0) << 16) |
      ((input[at + 2] ?? 0) << 8) |
      (input[at + 3] ?? 0);
  }
  for (let t = 16; t < 64; t += 1) {
    const x = w[t - 15] ?? 0;
    const y = w[t - 2] ?? 0;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = ((w[t - 16] ?? 0) + s0 + (w[t - 7] ?? 0) + s1) | 0;
  }
  let a = state[0] ?? 0;
  let b = state[1] ?? 0;
  let c = state[2] ?? 0;
  let d = state[3] ?? 0;
  let e = state[4] ?? 0;
  let f = state[5] ?? 0;
  let g = state[6] ?? 0;
  let h = state[7] ?? 0;
  for (let t = 0; t < 64; t += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + s1 + ((e & f) ^ (~e & g)) + (roundConstants[t] ?? 0) + (w[t] ?? 0)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0] = (state[0] ?? 0) + a;
  state[1] = (state[1] ?? 0) + b;
  state[2] = (state[2] ?? 0) + c;
  state[3] = (state[3] ?? 0) + d;
  state[4] = (state[4] ?? 0) + e;
  state[5] = (state[5] ?? 0) + f;
  state[6] = (state[6] ?? 0) + g;
  state[7] = (state[7] ?? 0) + h;
}
