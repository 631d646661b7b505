import { isKeyframeError } from "../../src/base/errors.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A damaged copy of a valid input: bytes changed, pieces left out, doubled, swapped, cut off, words of the format put in. */
export function mutate(input: Buffer, words: readonly string[], random: SeededRandom): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let changes = random.below(8); changes >= 0; changes -= 1) bytes = change(bytes, words, random);
  return bytes.subarray(0, maxBytes);
}

const maxBytes = 256 * 1024;

function change(bytes: Buffer, words: readonly string[], random: SeededRandom): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.below(40));
  switch (random.below(7)) {
    case 0:
      if (at < bytes.length) bytes.writeUInt8(random.below(256), at);
      return bytes;
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(20)), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(random.pick(words).repeat(1 + random.below(50))),
        bytes.subarray(at),
      ]);
    default:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(words)), bytes.subarray(to)]);
  }
}

/** What a hostile number is likely to be: around a limit, or as large as its field. */
export const odd = [
  0,
  1,
  2,
  7,
  511,
  512,
  4096,
  65_535,
  65_536,
  2 ** 20,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
];

/** Throws what is not an error of ours. */
export async function tolerant(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isKeyframeError(error)) throw error;
  }
}

/** Numbers of 32 bits put over others, which is where formats are hostile. */
function withOddNumbers(bytes: Buffer, random: SeededRandom): Buffer {
  const changed = Buffer.from(bytes);
  for (let left = 1 + random.below(4); left > 0 && changed.length >= 4; left -= 1)
    changed.writeUInt32LE(random.pick(odd), random.below((changed.length - 4) >>> 2) * 4);
  return changed;
}

/** A damaged copy of a format of numbers. */
export function damagedCopy(bytes: Buffer, random: SeededRandom): Buffer {
  return random.below(3) === 0
    ? mutate(bytes, ["\0\0\0\0", "\xff\xff\xff\xff"], random)
    : withOddNumbers(bytes, random);
}
