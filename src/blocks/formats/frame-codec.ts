import { KeyframeError } from "../../base/errors.ts";
import { codecs, type LayerFrame } from "./layer-format.ts";
import { sha256Bytes } from "./sha256.ts";
import type { Zstd } from "./zstd.ts";

export interface EncodedFrame {
  readonly codec: LayerFrame["codec"];
  readonly stored: Buffer;
  /** SHA-256 of `stored`. */
  readonly digest: Buffer;
}

/** Compressed or as it is, whichever is smaller. Raw frames share memory with `raw`. */
export function encodeFrame(zstd: Zstd, raw: Buffer): EncodedFrame {
  const compressed = zstd.compress(raw);
  const isSmaller = compressed.length < raw.length;
  const stored = isSmaller ? compressed : raw;
  return { codec: isSmaller ? codecs.zstd : codecs.raw, stored, digest: sha256Bytes(stored) };
}

/** Throws `damaged` unless the stored bytes have the frame's digest. */
export function verifyFrame(frame: LayerFrame, stored: Buffer, object: string): void {
  if (stored.length === frame.storedBytes && sha256Bytes(stored).equals(frame.digest)) return;
  throw new KeyframeError(
    "damaged",
    `${object} is damaged: the ${frame.storedBytes} bytes at ${frame.storedOffsetBytes} do not have the digest of their frame`,
    { hint: "fetch the image again from another store with `keyframe image pull`" },
  );
}

/** The raw bytes of a verified frame. Raw frames share memory with `stored`. */
export function decodeFrame(
  zstd: Zstd,
  frame: LayerFrame,
  options: { readonly stored: Buffer; readonly blockSizeBytes: number },
): Buffer {
  if (frame.codec === codecs.raw) return options.stored;
  return zstd.decompress(options.stored, frame.blockCount * options.blockSizeBytes);
}
