import { handshakeFlags, infoTypes, magics } from "./protocol.ts";

/**
 * Negotiation, big-endian.
 *
 * Greeting: `NBDMAGIC` (8), `IHAVEOPT` (8), handshake flags (2). The client answers with its flags (4).
 *
 * | option offset | bytes | what        | reply offset | bytes | what                |
 * | ---           | ---   | ---         | ---          | ---   | ---                 |
 * | 0             | 8     | `IHAVEOPT`  | 0            | 8     | 0x0003e889045565a9  |
 * | 8             | 4     | option      | 8            | 4     | option              |
 * | 12            | 4     | data length | 12           | 4     | reply type          |
 * | 16            | n     | data        | 16           | 4     | data length         |
 * |               |       |             | 20           | n     | data                |
 */
export const optionHeaderBytes = 16;
export const clientFlagsBytes = 4;

export interface OptionHeader {
  readonly option: number;
  readonly dataBytes: number;
}

export function encodeGreeting(): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.writeBigUInt64BE(magics.server, 0);
  bytes.writeBigUInt64BE(magics.option, 8);
  bytes.writeUInt16BE(handshakeFlags.fixedNewstyle | handshakeFlags.noZeroes, 16);
  return bytes;
}

/** Undefined for bytes that are no option. */
export function parseOptionHeader(bytes: Buffer): OptionHeader | undefined {
  if (bytes.readBigUInt64BE(0) !== magics.option) return undefined;
  return { option: bytes.readUInt32BE(8), dataBytes: bytes.readUInt32BE(12) };
}

export function encodeOptionReply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(20);
  header.writeBigUInt64BE(magics.optionReply, 0);
  header.writeUInt32BE(option, 8);
  header.writeUInt32BE(type, 12);
  header.writeUInt32BE(data.length, 16);
  return Buffer.concat([header, data]);
}

/** Data of INFO and GO: name length (4), name, number of wishes (2), wishes (2 each). */
export function parseInfoRequest(
  data: Buffer,
): { readonly name: string; readonly wishes: number[] } | undefined {
  const name = takeString(data, 0);
  if (name === undefined || name.end + 2 > data.length) return undefined;
  const count = data.readUInt16BE(name.end);
  const start = name.end + 2;
  if (data.length !== start + 2 * count) return undefined;
  const wishes = Array.from({ length: count }, (_, index) => data.readUInt16BE(start + 2 * index));
  return { name: name.text, wishes };
}

/** Data of LIST/SET_META_CONTEXT: name length (4), name, number of queries (4), queries (length 4, text). */
export function parseMetaContextRequest(
  data: Buffer,
): { readonly name: string; readonly queries: string[] } | undefined {
  const name = takeString(data, 0);
  if (name === undefined || name.end + 4 > data.length) return undefined;
  const count = data.readUInt32BE(name.end);
  const queries: string[] = [];
  let position = name.end + 4;
  for (let index = 0; index < count; index += 1) {
    const query = takeString(data, position);
    if (query === undefined) return undefined;
    queries.push(query.text);
    position = query.end;
  }
  return position === data.length ? { name: name.text, queries } : undefined;
}

/** One name of LIST: name length (4), name. */
export function encodeListedExport(name: string): Buffer {
  const text = Buffer.from(name);
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32BE(text.length, 0);
  text.copy(bytes, 4);
  return bytes;
}

/** Context id (4), name. */
export function encodeMetaContext(id: number, name: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(id, 0);
  return Buffer.concat([bytes, Buffer.from(name)]);
}

export interface ExportFacts {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly flags: number;
}

/** NBD_INFO_EXPORT: type (2), size (8), transmission flags (2). */
export function encodeExportInfo(facts: ExportFacts): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(infoTypes.export, 0);
  bytes.writeBigUInt64BE(BigInt(facts.sizeBytes), 2);
  bytes.writeUInt16BE(facts.flags, 10);
  return bytes;
}

/** NBD_INFO_NAME and NBD_INFO_DESCRIPTION: type (2), text. */
export function encodeTextInfo(type: number, text: string): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(type, 0);
  return Buffer.concat([bytes, Buffer.from(text)]);
}

/** NBD_INFO_BLOCK_SIZE: type (2), minimum (4), preferred (4), maximum (4). */
export function encodeBlockSizeInfo(preferredBytes: number, maximumBytes: number): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt16BE(infoTypes.blockSize, 0);
  bytes.writeUInt32BE(1, 2);
  bytes.writeUInt32BE(preferredBytes, 6);
  bytes.writeUInt32BE(maximumBytes, 10);
  return bytes;
}

/** Answer to EXPORT_NAME, which has no header: size (8), transmission flags (2), 124 zeros unless refused. */
export function encodeExportNameAnswer(facts: ExportFacts, noZeroes: boolean): Buffer {
  const bytes = Buffer.alloc(noZeroes ? 10 : 134);
  bytes.writeBigUInt64BE(BigInt(facts.sizeBytes), 0);
  bytes.writeUInt16BE(facts.flags, 8);
  return bytes;
}

function takeString(
  data: Buffer,
  offset: number,
): { readonly text: string; readonly end: number } | undefined {
  if (offset + 4 > data.length) return undefined;
  const end = offset + 4 + data.readUInt32BE(offset);
  if (end > data.length) return undefined;
  return { text: data.toString("utf8", offset + 4, end), end };
}
