import { sha256Hex } from "../base/digest.ts";

/**
 * A self-checking record: one line of JSON whose first field is the first 8 hex digits of the SHA-256 of what follows
 * it, so that a torn or damaged line is told from a whole one. The terminating newline is not covered.
 */
export function encodeRecordLine(value: object): Buffer {
  const rest = JSON.stringify(value).slice(1);
  return Buffer.from(`{"sum":"${sumOf(rest)}",${rest}\n`);
}

/** The record without its sum, or undefined if the line is not whole. Never throws. */
export function parseRecordLine(line: Buffer): Record<string, unknown> | undefined {
  const text = line.toString("utf8");
  const match = /^\{"sum":"([0-9a-f]{8})",/.exec(text);
  if (match === null) return undefined;
  const rest = text.slice(match[0].length).replace(/\n$/, "");
  if (sumOf(rest) !== match[1]) return undefined;
  try {
    const value: unknown = JSON.parse(`{${rest}`);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // the sum matches but it is no JSON: written by something else
  }
}

function sumOf(rest: string): string {
  return sha256Hex(rest).slice(0, 8);
}
