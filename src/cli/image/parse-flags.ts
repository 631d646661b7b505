import { KeyframeError } from "../../base/errors.ts";

/** "4096", "64K", "2M" or "1G" as bytes. */
export function parseSize(text: string): number {
  const match = /^(\d{1,15})(?:([KMG])(?:i?B)?)?$/i.exec(text);
  const factor = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match?.[2]?.toLowerCase() ?? ""] ?? 1;
  if (match === null)
    throw new KeyframeError("usage", `${text} is not a size`, { hint: "write 4096, 64K or 2M" });
  return Number(match[1]) * factor;
}

/** "90s", "15m", "24h" or "7d" as milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const factor = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ""];
  if (factor === undefined)
    throw new KeyframeError("usage", `${text} is not a time`, { hint: "write 90s, 15m, 24h or 7d" });
  return Number(match?.[1]) * factor;
}

/** "key=value". */
export function parseLabel(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new KeyframeError("usage", `${text} is not a label`, { hint: "write key=value" });
  return [text.slice(0, at), text.slice(at + 1)];
}
