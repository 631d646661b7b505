/** A text with its JSON escapes undone, and where each character came from. */
export interface Unescaped {
  readonly bytes: Buffer;
  /** `origins[i]` is where character i of the text starts in the source; one more entry marks the end. */
  readonly origins: Uint32Array;
}

const backslash = 0x5c;

/**
 * Undoes one level of JSON escapes of a piece of raw JSON. Only characters below U+0100 are decoded, the others keep
 * their escape: a secret holds none, and the text stays one byte a character.
 */
export function unescapeJson(source: Buffer): Unescaped {
  const bytes = Buffer.allocUnsafe(source.length);
  const origins = new Uint32Array(source.length + 1);
  let length = 0;
  for (let at = 0; at < source.length; ) {
    const byte = source[at] ?? 0;
    const escaped = byte === backslash ? readEscape(source, at) : undefined;
    bytes[length] = escaped?.byte ?? byte;
    origins[length] = at;
    length += 1;
    at += escaped?.size ?? 1;
  }
  origins[length] = source.length;
  return { bytes: bytes.subarray(0, length), origins: origins.subarray(0, length + 1) };
}

interface Escape {
  readonly byte: number;
  /** Bytes of the source. */
  readonly size: number;
}

const letterU = 0x75;
const simple: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x66, 0x0c],
]);

/** Undefined for a backslash that stays one. */
function readEscape(source: Buffer, at: number): Escape | undefined {
  const next = source[at + 1];
  if (next === undefined) return undefined;
  if (next !== letterU) return { byte: simple.get(next) ?? next, size: 2 };
  const digits = source.toString("latin1", at + 2, at + 6);
  const code = /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  return code < 0x100 ? { byte: code, size: 6 } : undefined;
}

/** What can hide a key from plain matching: its characters written as escapes. */
export const hidingEscapes: readonly string[] = ["2", "3", "4", "5", "6", "7"]
  .map((digit) => `\\u00${digit}`)
  .concat("\\/");
