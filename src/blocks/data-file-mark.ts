import { crc32 } from "node:zlib";

/**
 * The last 4 KiB of a cache directory's data file, after the image's bytes (rounded up to 4 KiB): says which image the
 * file was made for. Little-endian.
 *
 * | offset | bytes | what                   |
 * | ---    | ---   | ---                    |
 * | 0      | 8     | magic `KFDATA\r\n`     |
 * | 8      | 4     | version, 1             |
 * | 12     | 32    | identity of the image  |
 * | 44     | 16    | identity of this file  |
 * | 60     | 4     | CRC-32 of bytes 0-59   |
 */
export interface DataFileMark {
  readonly imageId: Buffer;
  readonly dataFileId: Buffer;
}

export const markBytes = 4096;
const magic = Buffer.from("KFDATA\r\n", "latin1");
const version = 1;

export function markOffset(sizeBytes: number): number {
  return Math.ceil(sizeBytes / markBytes) * markBytes;
}

export function encodeDataFileMark(mark: DataFileMark): Buffer {
  const bytes = Buffer.alloc(markBytes);
  magic.copy(bytes, 0);
  bytes.writeUInt32LE(version, 8);
  mark.imageId.copy(bytes, 12, 0, 32);
  mark.dataFileId.copy(bytes, 44, 0, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** Undefined for anything but a whole mark of this version. */
export function parseDataFileMark(bytes: Buffer): DataFileMark | undefined {
  if (bytes.length !== markBytes || !bytes.subarray(0, 8).equals(magic)) return undefined;
  if (bytes.readUInt32LE(8) !== version || bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60)))
    return undefined;
  return {
    imageId: Buffer.from(bytes.subarray(12, 44)),
    dataFileId: Buffer.from(bytes.subarray(44, 60)),
  };
}
