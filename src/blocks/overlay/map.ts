import { crc32 } from "node:zlib";
import { KeyframeError } from "../../base/errors.ts";
import type { BlockRange } from "../cache/chunk-progress.ts";

/**
 * The `map` file of an overlay folder: which blocks the overlay holds. A header, then records that are only appended;
 * a later one overrules an earlier. Format in docs/formats/overlay.md. Little-endian.
 *
 * | offset | bytes | what                            |
 * | ---    | ---   | ---                             |
 * | 0      | 8     | magic `KFOVLY\r\n`              |
 * | 8      | 4     | version, 1                      |
 * | 12     | 4     | block size                      |
 * | 16     | 8     | disk size                       |
 * | 24     | 32    | identity of the parent image    |
 * | 56     | 4     | CRC-32 of bytes 0-55            |
 * | 60     |       | records                         |
 *
 * Record:
 *
 * | offset | bytes | what                                                                  |
 * | ---    | ---   | ---                                                                   |
 * | 0      | 4     | number of runs, at least 1                                            |
 * | 4      | 4     | CRC-32 of the number of runs (4 bytes) and of the runs                |
 * | 8      | 12 n  | runs: first block (4), number of blocks (4), state: 1 data, 2 zero (4) |
 */
export interface OverlayMapHeader {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /** 32 bytes. */
  readonly parentId: Buffer;
}

export interface StateRun extends BlockRange {
  readonly state: "data" | "zero";
}

export const mapHeaderBytes = 60;
const magic = Buffer.from("KFOVLY\r\n", "latin1");
const version = 1;
const recordHeaderBytes = 8;
const runBytes = 12;
const states = { data: 1, zero: 2 } as const;

export function encodeMapHeader(header: OverlayMapHeader): Buffer {
  const bytes = Buffer.alloc(mapHeaderBytes);
  magic.copy(bytes, 0);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(header.blockSizeBytes, 12);
  bytes.writeBigUInt64LE(BigInt(header.sizeBytes), 16);
  header.parentId.copy(bytes, 24, 0, 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 56)), 56);
  return bytes;
}

/** Throws `damaged` for anything but a whole header of this version. */
export function parseMapHeader(bytes: Buffer): OverlayMapHeader {
  if (bytes.length < mapHeaderBytes || !bytes.subarray(0, 8).equals(magic)) throw damaged("it has no header");
  if (bytes.readUInt32LE(56) !== crc32(bytes.subarray(0, 56))) throw damaged("the header's checksum differs");
  if (bytes.readUInt32LE(8) !== version) throw damaged(`its version is ${bytes.readUInt32LE(8)}`);
  return {
    blockSizeBytes: bytes.readUInt32LE(12),
    sizeBytes: Number(bytes.readBigUInt64LE(16)),
    parentId: Buffer.from(bytes.subarray(24, 56)),
  };
}

export function encodeMapRecord(runs: readonly StateRun[]): Buffer {
  const bytes = Buffer.alloc(recordHeaderBytes + runs.length * runBytes);
  bytes.writeUInt32LE(runs.length, 0);
  let offset = recordHeaderBytes;
  for (const { startBlock, endBlock, state } of runs) {
    bytes.writeUInt32LE(startBlock, offset);
    bytes.writeUInt32LE(endBlock - startBlock, offset + 4);
    bytes.writeUInt32LE(states[state], offset + 8);
    offset += runBytes;
  }
  bytes.writeUInt32LE(recordCrc(bytes), 4);
  return bytes;
}

export interface MapRecords {
  readonly runs: StateRun[];
  /** Where the next record goes. */
  readonly endBytes: number;
  /** Bytes of a last append that did not finish. */
  readonly tornBytes: number;
}

/**
 * The runs of all records in order. An unfinished append at the end is left out: no flush that was answered wrote it.
 * A bad record that others follow is `damaged`.
 */
export function parseMapRecords(bytes: Buffer, sizeBlocks: number): MapRecords {
  const runs: StateRun[] = [];
  let offset = mapHeaderBytes;
  while (offset < bytes.length) {
    const length = wholeRecordLength(bytes, offset);
    if (length === undefined) return { runs, endBytes: offset, tornBytes: bytes.length - offset };
    for (let at = offset + recordHeaderBytes; at < offset + length; at += runBytes) {
      runs.push(parseRun(bytes, at, sizeBlocks));
    }
    offset += length;
  }
  return { runs, endBytes: offset, tornBytes: 0 };
}

/** Undefined for a torn last record. */
function wholeRecordLength(bytes: Buffer, offset: number): number | undefined {
  if (offset + recordHeaderBytes > bytes.length) return undefined;
  const count = bytes.readUInt32LE(offset);
  const length = recordHeaderBytes + count * runBytes;
  const end = offset + length;
  if (end > bytes.length) return undefined;
  if (count > 0 && bytes.readUInt32LE(offset + 4) === recordCrc(bytes.subarray(offset, end))) return length;
  // a crash can leave an append as zeros or half written, but nothing is ever appended after it
  if (end === bytes.length || isZero(bytes.subarray(offset))) return undefined;
  throw damaged(`the record at ${offset} fails its checksum`);
}

function recordCrc(record: Buffer): number {
  return crc32(record.subarray(recordHeaderBytes), crc32(record.subarray(0, 4)));
}

function parseRun(bytes: Buffer, offset: number, sizeBlocks: number): StateRun {
  const startBlock = bytes.readUInt32LE(offset);
  const endBlock = startBlock + bytes.readUInt32LE(offset + 4);
  const code = bytes.readUInt32LE(offset + 8);
  const state = code === states.data ? "data" : code === states.zero ? "zero" : undefined;
  if (state === undefined || endBlock > sizeBlocks) throw damaged(`the run at ${offset} is not possible`);
  return { startBlock, endBlock, state };
}

export function isZero(bytes: Buffer): boolean {
  return bytes.length === 0 || (bytes[0] === 0 && bytes.compare(bytes, 0, bytes.length - 1, 1) === 0);
}

function damaged(why: string): KeyframeError {
  return new KeyframeError("damaged", `the overlay's map is not usable: ${why}`, {
    hint: "restore the overlay directory from a copy, or start a new overlay",
  });
}
