import { errorText } from "../base/errors.ts";
import { maxHookPayloadBytes } from "../base/limits.ts";
import type { RefusedPayload } from "./agent-event.ts";

/**
 * The JSON value of a hook's standard input: UTF-8 with or without a byte order mark, or UTF-16 of either byte order
 * (what PowerShell pipes).
 */
export function decodePayload(bytes: Buffer): { readonly payload: unknown } | RefusedPayload {
  if (bytes.length > maxHookPayloadBytes) {
    return refused(`the payload has ${bytes.length} bytes, more than ${maxHookPayloadBytes}`);
  }
  const text = decodeText(bytes);
  if (text.trim() === "") return refused("the payload is empty");
  try {
    return { payload: JSON.parse(text) };
  } catch (error) {
    return refused(`the payload is not JSON: ${errorText(error).slice(0, 200)}`);
  }
}

export function refused(why: string): RefusedPayload {
  return { kind: "refused", why };
}

function decodeText(bytes: Buffer): string {
  const [first, second] = bytes;
  if (first === 0xef && second === 0xbb && bytes[2] === 0xbf) return bytes.toString("utf8", 3);
  if (first === 0xff && second === 0xfe) return bytes.toString("utf16le", 2);
  if (first === 0xfe && second === 0xff) return bigEndian(bytes.subarray(2));
  // JSON starts with an ASCII character: the place of its zero byte tells the order
  if (first !== 0 && second === 0) return bytes.toString("utf16le");
  if (first === 0 && second !== 0) return bigEndian(bytes);
  return bytes.toString("utf8");
}

function bigEndian(bytes: Buffer): string {
  return Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2)))
    .swap16()
    .toString("utf16le");
}
