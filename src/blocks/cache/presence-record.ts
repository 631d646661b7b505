import { crc32 } from "node:zlib";

/**
 * Which granules of a cached image are valid; format in docs/formats/cache-folder.md. Little-endian.
 *
 * | offset | bytes | what                                        |
 * | ---    | ---   | ---                                         |
 * | 0      | 8     | magic `KFPRES\r\n`                          |
 * | 8      | 4     | version, 1                                  |
 * | 12     | 4     | block size                                  |
 * | 16     | 8     | image size                                  |
 * | 24     | 4     | tracking size                               |
 * | 28     | 4     | CRC-32 of the bits                          |
 * | 32     | 32    | identity of the image                       |
 * | 64     | 16    | identity of the data file                   |
 * | 80     | 4     | CRC-32 of bytes 0-79                        |
 * | 84     | n     | the bits, 4 bytes for each 32 granules      |
 */
export interface PresenceRecord extends PresenceSubject {
  readonly words: Uint32Array;
}

/** What the bits are about. A record with any other subject is not believed. */
export interface PresenceSubject {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly trackingBytes: number;
  /** 32 bytes. */
  readonly imageId: Buffer;
  /** 16 bytes, random, written into the data file when it is made. */
  readonly dataFileId: Buffer;
}

const magic = Buffer.from("KFPRES\r\n", "latin1");
const version = 1;
const headerBytes = 84;

export function encodePresenceRecord(record: PresenceRecord): Buffer {
  const bits = Buffer.from(record.words.buffer, record.words.byteOffset, record.words.byteLength);
  const bytes = Buffer.alloc(headerBytes + bits.length);
  magic.copy(bytes, 0);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(record.blockSizeBytes, 12);
  bytes.writeBigUInt64LE(BigInt(record.sizeBytes), 16);
  bytes.writeUInt32LE(record.trackingBytes, 24);
  bytes.writeUInt32LE(crc32(bits), 28);
  record.imageId.copy(bytes, 32, 0, 32);
  record.dataFileId.copy(bytes, 64, 0, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 80)), 80);
  bits.copy(bytes, headerBytes);
  return bytes;
}

/** The bits, or undefined for a record that is torn, stale or about something else. */
export function parsePresenceRecord(bytes: Buffer, subject: PresenceSubject): Uint32Array | undefined {
  if (bytes.length < headerBytes || !bytes.subarray(0, 8).equals(magic)) return undefined;
  if (bytes.readUInt32LE(8) !== version || bytes.readUInt32LE(80) !== crc32(bytes.subarray(0, 80)))
    return undefined;
  const about =
    bytes.readUInt32LE(12) === subject.blockSizeBytes &&
    bytes.readBigUInt64LE(16) === BigInt(subject.sizeBytes) &&
    bytes.readUInt32LE(24) === subject.trackingBytes &&
    bytes.subarray(32, 64).equals(subject.imageId) &&
    bytes.subarray(64, 80).equals(subject.dataFileId);
  if (!about) return undefined;
  const bits = bytes.subarray(headerBytes);
  const wordsExpected = Math.ceil(Math.ceil(subject.sizeBytes / subject.trackingBytes) / 32);
  if (bits.length !== wordsExpected * 4 || bytes.readUInt32LE(28) !== crc32(bits)) return undefined;
  const words = new Uint32Array(wordsExpected);
  bits.copy(Buffer.from(words.buffer));
  return words;
}
