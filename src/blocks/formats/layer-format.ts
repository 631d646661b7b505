import { crc32 } from "node:zlib";
import { KeyframeError } from "../../base/errors.ts";
import type { LayerId } from "../ids.ts";
import {
  maxBlockSizeBytes,
  maxBlocks,
  maxFrameBytes,
  maxFramesPerLayer,
  maxRunsPerLayer,
  minBlockSizeBytes,
} from "../limits.ts";
import { type BlockRun, zeroLayer } from "./extent-map.ts";
import { sha256Bytes } from "./sha256.ts";

// docs/formats/layer.md. All numbers are little-endian.
//
// header   0  8 magic "KFLAYER\0"         index   frame count times 56 bytes:
//          8  2 version                            0  4 packed block where the frame starts
//         10  2 header length, 128                 4  4 blocks in the frame
//         12  4 block size                         8  8 offset of the stored bytes in the object
//         16  8 length of the object              16  4 length of the stored bytes
//         24  8 offset of the index               20  1 codec: 0 raw, 1 zstd
//         32  4 length of the index               21  3 zero
//         36  4 frames                            24 32 SHA-256 of the stored bytes
//         40  4 runs                              run count times 12 bytes:
//         44  4 packed blocks                      0  4 first block of the device
//         48 32 SHA-256 of the index               4  4 blocks
//         80 44 zero                               8  4 packed block, or 0xffffffff for zeros
//        124  4 CRC-32 of bytes 0 to 123

export const layerHeaderBytes = 128;
const magic = Buffer.from("KFLAYER\0", "latin1");
const version = 1;
const frameEntryBytes = 56;
const runEntryBytes = 12;

export const codecs = { raw: 0, zstd: 1 } as const;
export type CodecNumber = (typeof codecs)[keyof typeof codecs];

export interface LayerHeader {
  readonly blockSizeBytes: number;
  readonly objectBytes: number;
  readonly indexOffsetBytes: number;
  readonly indexBytes: number;
  readonly frameCount: number;
  readonly runCount: number;
  readonly packedBlocks: number;
  readonly indexDigest: Buffer;
}

/** Blocks stored together: packed blocks `packedBlock` to `packedBlock + blockCount` of the layer. */
export interface LayerFrame {
  readonly packedBlock: number;
  readonly blockCount: number;
  readonly storedOffsetBytes: number;
  readonly storedBytes: number;
  readonly codec: CodecNumber;
  /** SHA-256 of the stored bytes. */
  readonly digest: Buffer;
}

export interface LayerIndex {
  readonly header: LayerHeader;
  /** Ascending by packed block; frames with equal content share their stored bytes. */
  readonly frames: readonly LayerFrame[];
  /** What the layer says about the device it was made for; `layer` is 0 or `zeroLayer`. */
  readonly runs: readonly BlockRun[];
}

export function encodeLayerIndex(frames: readonly LayerFrame[], runs: readonly BlockRun[]): Buffer {
  const bytes = Buffer.alloc(frames.length * frameEntryBytes + runs.length * runEntryBytes);
  let at = 0;
  for (const frame of frames) {
    bytes.writeUInt32LE(frame.packedBlock, at);
    bytes.writeUInt32LE(frame.blockCount, at + 4);
    bytes.writeBigUInt64LE(BigInt(frame.storedOffsetBytes), at + 8);
    bytes.writeUInt32LE(frame.storedBytes, at + 16);
    bytes.writeUInt8(frame.codec, at + 20);
    frame.digest.copy(bytes, at + 24);
    at += frameEntryBytes;
  }
  for (const run of runs) {
    bytes.writeUInt32LE(run.startBlock, at);
    bytes.writeUInt32LE(run.blockCount, at + 4);
    bytes.writeUInt32LE(run.layer === zeroLayer ? zeroLayer : run.packedBlock, at + 8);
    at += runEntryBytes;
  }
  return bytes;
}

export function encodeLayerHeader(header: LayerHeader): Buffer {
  const bytes = Buffer.alloc(layerHeaderBytes);
  magic.copy(bytes);
  bytes.writeUInt16LE(version, 8);
  bytes.writeUInt16LE(layerHeaderBytes, 10);
  bytes.writeUInt32LE(header.blockSizeBytes, 12);
  bytes.writeBigUInt64LE(BigInt(header.objectBytes), 16);
  bytes.writeBigUInt64LE(BigInt(header.indexOffsetBytes), 24);
  bytes.writeUInt32LE(header.indexBytes, 32);
  bytes.writeUInt32LE(header.frameCount, 36);
  bytes.writeUInt32LE(header.runCount, 40);
  bytes.writeUInt32LE(header.packedBlocks, 44);
  header.indexDigest.copy(bytes, 48);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 124)), 124);
  return bytes;
}

export function layerIdOf(header: Uint8Array): LayerId {
  return sha256Bytes(header).toString("hex") as LayerId;
}

/** Throws `damaged` for bytes that are no header of a layer. The caller checks them against the layer's id. */
export function parseLayerHeader(bytes: Buffer): LayerHeader {
  if (bytes.length !== layerHeaderBytes || !bytes.subarray(0, 8).equals(magic))
    damaged("it does not start like a layer");
  if (bytes.readUInt32LE(124) !== crc32(bytes.subarray(0, 124)))
    damaged("the checksum of its header is wrong");
  if (bytes.readUInt16LE(8) !== version) {
    throw new KeyframeError("invalid-input", `layer format ${bytes.readUInt16LE(8)} is not known`, {
      hint: "a newer Keyframe wrote it: update this one",
    });
  }
  const header: LayerHeader = {
    blockSizeBytes: bytes.readUInt32LE(12),
    objectBytes: safeInteger(bytes.readBigUInt64LE(16)),
    indexOffsetBytes: safeInteger(bytes.readBigUInt64LE(24)),
    indexBytes: bytes.readUInt32LE(32),
    frameCount: bytes.readUInt32LE(36),
    runCount: bytes.readUInt32LE(40),
    packedBlocks: bytes.readUInt32LE(44),
    indexDigest: Buffer.from(bytes.subarray(48, 80)),
  };
  if (bytes.readUInt16LE(10) !== layerHeaderBytes || bytes.subarray(80, 124).some((byte) => byte !== 0))
    damaged("reserved bytes of its header are set");
  checkBlockSize(header.blockSizeBytes);
  if (
    header.frameCount > maxFramesPerLayer ||
    header.runCount > maxRunsPerLayer ||
    header.packedBlocks > maxBlocks
  )
    damaged("its header counts more than a layer can hold");
  if (
    header.indexBytes !== header.frameCount * frameEntryBytes + header.runCount * runEntryBytes ||
    header.indexOffsetBytes < layerHeaderBytes ||
    header.indexOffsetBytes + header.indexBytes !== header.objectBytes
  ) {
    damaged("the lengths in its header contradict each other");
  }
  return header;
}

/** Throws `damaged` unless the bytes are the index that the header names and describe every byte of the object. */
export function parseLayerIndex(header: LayerHeader, bytes: Buffer): LayerIndex {
  if (bytes.length !== header.indexBytes || !sha256Bytes(bytes).equals(header.indexDigest))
    damaged("its index does not have the digest that its header names");
  const frames = parseFrames(header, bytes);
  return { header, frames, runs: parseRuns(header, bytes.subarray(header.frameCount * frameEntryBytes)) };
}

function parseFrames(header: LayerHeader, bytes: Buffer): LayerFrame[] {
  const frames: LayerFrame[] = [];
  const stored = new Map<number, LayerFrame>();
  let packedBlock = 0;
  let storedEnd = layerHeaderBytes;
  for (let at = 0; frames.length < header.frameCount; at += frameEntryBytes) {
    const frame: LayerFrame = {
      packedBlock: bytes.readUInt32LE(at),
      blockCount: bytes.readUInt32LE(at + 4),
      storedOffsetBytes: safeInteger(bytes.readBigUInt64LE(at + 8)),
      storedBytes: bytes.readUInt32LE(at + 16),
      codec: parseCodec(bytes.readUInt8(at + 20)),
      digest: bytes.subarray(at + 24, at + 56),
    };
    const rawBytes = frame.blockCount * header.blockSizeBytes;
    if (frame.packedBlock !== packedBlock || rawBytes === 0 || rawBytes > maxFrameBytes)
      damaged("a frame has a wrong place or size");
    if (
      frame.codec === codecs.raw
        ? frame.storedBytes !== rawBytes
        : frame.storedBytes >= rawBytes || frame.storedBytes === 0
    )
      damaged("a frame has a wrong stored length");
    if (frame.storedOffsetBytes === storedEnd) {
      stored.set(storedEnd, frame);
      storedEnd += frame.storedBytes;
    } else if (!sharesStorage(frame, stored.get(frame.storedOffsetBytes)))
      damaged("stored frames overlap or leave a gap");
    packedBlock += frame.blockCount;
    frames.push(frame);
  }
  if (packedBlock !== header.packedBlocks || storedEnd !== header.indexOffsetBytes)
    damaged("its frames do not add up to its lengths");
  return frames;
}

function sharesStorage(frame: LayerFrame, first: LayerFrame | undefined): boolean {
  return (
    first !== undefined &&
    first.storedBytes === frame.storedBytes &&
    first.blockCount === frame.blockCount &&
    first.codec === frame.codec &&
    first.digest.equals(frame.digest)
  );
}

function parseRuns(header: LayerHeader, bytes: Buffer): BlockRun[] {
  const runs: BlockRun[] = [];
  let end = 0;
  let packedEnd = 0;
  for (let at = 0; runs.length < header.runCount; at += runEntryBytes) {
    const packed = bytes.readUInt32LE(at + 8);
    const startBlock = bytes.readUInt32LE(at);
    const blockCount = bytes.readUInt32LE(at + 4);
    const isZero = packed === zeroLayer;
    if (blockCount === 0 || startBlock < end || startBlock + blockCount > maxBlocks)
      damaged("a run overlaps the one before it");
    if (!isZero && packed !== packedEnd) damaged("a run points to the wrong packed block");
    end = startBlock + blockCount;
    if (!isZero) packedEnd += blockCount;
    runs.push({ startBlock, blockCount, layer: isZero ? zeroLayer : 0, packedBlock: isZero ? 0 : packed });
  }
  if (packedEnd !== header.packedBlocks) damaged("its runs do not add up to its packed blocks");
  return runs;
}

/** The index of the frame that holds a packed block, by binary search. */
export function findFrame(index: LayerIndex, packedBlock: number): number {
  let low = 0;
  let high = index.frames.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((index.frames[middle]?.packedBlock ?? 0) <= packedBlock) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Throws `invalid-input` unless the size is a power of two in the supported range. */
export function checkBlockSize(blockSizeBytes: number): void {
  if (
    blockSizeBytes < minBlockSizeBytes ||
    blockSizeBytes > maxBlockSizeBytes ||
    !Number.isInteger(Math.log2(blockSizeBytes))
  ) {
    throw new KeyframeError(
      "invalid-input",
      `${blockSizeBytes} is not a block size: it must be a power of two from ${minBlockSizeBytes} to ${maxBlockSizeBytes}`,
    );
  }
}

function parseCodec(number: number): CodecNumber {
  if (number === codecs.raw || number === codecs.zstd) return number;
  return damaged(`codec ${number} is not known`);
}

function safeInteger(value: bigint): number {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : damaged("a length is out of range");
}

function damaged(what: string): never {
  throw new KeyframeError("damaged", `the layer is damaged: ${what}`);
}
