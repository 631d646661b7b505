import { KeyframeError } from "../errors.ts";

const sizeUnits: Readonly<Record<string, number>> = {
  "": 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** "512M", "4G", "1.5G", "65536": bytes. Units are powers of 1024; `iB` and `B` may follow. */
export function parseByteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text);
  const unit = sizeUnits[(match?.[2] ?? "").toUpperCase()];
  if (match === null || unit === undefined) {
    throw new KeyframeError("invalid-input", `${JSON.stringify(text)} is not a size`, {
      hint: "for example 512M or 4G",
    });
  }
  return Math.round(Number(match[1]) * unit);
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** "500ms", "90s", "15m", "1h", "7d": milliseconds. */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text);
  const unit = durationUnits[match?.[2] ?? ""];
  if (match === null || unit === undefined) {
    throw new KeyframeError("invalid-input", `${JSON.stringify(text)} is not a duration`, {
      hint: "for example 90s, 15m or 1h",
    });
  }
  return Math.round(Number(match[1]) * unit);
}
