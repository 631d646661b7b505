import * as zlib from "node:zlib";
import { KeyframeError } from "../../base/errors.ts";

/** One zstd frame per call; any implementation reads what another wrote. */
export interface Zstd {
  compress(raw: Uint8Array): Buffer;
  /** Exactly `rawBytes` bytes, or throws `damaged`; never holds more than that, whatever the frame claims. */
  decompress(frame: Uint8Array, rawBytes: number): Buffer;
}

// level 1 loses 5 % of ratio against the default 3 and compresses faster on every implementation
const level = 1;

/** Node's own zstd where it has one (22.15 and later), else the WebAssembly build. Loaded once. */
export function loadZstd(): Promise<Zstd> {
  loaded ??= native === undefined ? loadWasm() : Promise.resolve(bounded(native));
  return loaded;
}

let loaded: Promise<Zstd> | undefined;

interface RawZstd {
  compress(raw: Uint8Array): Uint8Array;
  decompress(frame: Uint8Array, rawBytes: number): Uint8Array;
}

interface NativeZstd {
  readonly zstdCompressSync: (
    raw: Uint8Array,
    options: { readonly params: Record<number, number> },
  ) => Buffer;
  readonly zstdDecompressSync: (frame: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer;
}

const compressionLevelParameter = 100;
const native = nativeZstd();

function nativeZstd(): RawZstd | undefined {
  if (!("zstdCompressSync" in zlib)) return undefined;
  const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as NativeZstd;
  return {
    compress: (raw) => zstdCompressSync(raw, { params: { [compressionLevelParameter]: level } }),
    decompress: (frame, rawBytes) => zstdDecompressSync(frame, { maxOutputLength: rawBytes }),
  };
}

/** The WebAssembly build, also where Node has its own: tests hold both to the same frames. */
export async function loadWasm(): Promise<Zstd> {
  const { compress, decompress, initOnce } = await import("./zstd-wasm.ts");
  await initOnce();
  return bounded({
    compress: (raw) => compress(raw as Uint8Array<ArrayBuffer>, level),
    decompress: (frame, rawBytes) =>
      decompress(frame as Uint8Array<ArrayBuffer>, { defaultHeapSize: rawBytes }),
  });
}

function bounded(raw: RawZstd): Zstd {
  return {
    compress: (bytes) => view(raw.compress(bytes)),
    decompress(frame, rawBytes) {
      const declared = declaredSize(frame);
      if (declared !== undefined && declared !== BigInt(rawBytes)) {
        throw new KeyframeError("damaged", `a zstd frame claims ${declared} bytes where ${rawBytes} belong`);
      }
      let bytes: Buffer;
      try {
        bytes = view(raw.decompress(frame, rawBytes));
      } catch (error) {
        throw new KeyframeError("damaged", `a zstd frame of ${frame.length} bytes cannot be read`, {
          cause: error,
        });
      }
      if (bytes.length !== rawBytes) {
        throw new KeyframeError(
          "damaged",
          `a zstd frame holds ${bytes.length} bytes where ${rawBytes} belong`,
        );
      }
      return bytes;
    },
  };
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const frameMagic = 0xfd2fb528;

/** The content size in a frame's header (RFC 8878, 3.1.1.1), if it has one; throws `damaged` for what is no frame. */
export function declaredSize(frame: Uint8Array): bigint | undefined {
  const bytes = view(frame);
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== frameMagic)
    throw new KeyframeError("damaged", "the bytes are not a zstd frame");
  const descriptor = bytes.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  if (sizeBytes === 0) return undefined;
  const at = 5 + (singleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  if (bytes.length < at + sizeBytes)
    throw new KeyframeError("damaged", "a zstd frame ends inside its header");
  if (sizeBytes === 8) return bytes.readBigUInt64LE(at);
  return BigInt(bytes.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0));
}
