import { isUtf8 } from "node:buffer";

/*
 * Names of files are bytes. One that is not UTF-8 is held as text in which each byte that belongs to no character is a
 * lone surrogate (U+DC80 to U+DCFF for 0x80 to 0xFF): such text is different for different bytes, survives JSON, and gives
 * the bytes back.
 */

/** With `u` the second half of a pair is none. */
const rawBytes = /[\udc80-\udcff]/u;

/** A name as text. Any bytes; UTF-8 reads as itself. */
export function decodePath(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const character = bytes.subarray(at, at + length);
    if (character.length === length && isUtf8(character)) {
      text += character.toString("utf8");
      at += length;
    } else {
      text += String.fromCharCode(0xdc00 + lead);
      at += 1;
    }
  }
  return text;
}

/** The bytes that a name, or text with names in it, stands for. */
export function encodePath(text: string): Buffer {
  if (isPlainPath(text)) return Buffer.from(text);
  const pieces: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const isRaw = code >= 0xdc80 && code <= 0xdcff;
    pieces.push(isRaw ? Buffer.from([code - 0xdc00]) : Buffer.from(character));
  }
  return Buffer.concat(pieces);
}

/** True if the name is UTF-8, so that programs and other formats can be given it as text. */
export function isPlainPath(text: string): boolean {
  return !rawBytes.test(text);
}

/** What Node's file functions take for a name. */
export function nativePath(path: string): string | Buffer {
  return isPlainPath(path) ? path : encodePath(path);
}
