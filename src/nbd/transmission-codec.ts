import type { ImageExtent } from "../blocks/streamed-image.ts";
import { allocation, magics, replyDone, replyTypes } from "./protocol.ts";

/**
 * Transmission, big-endian.
 *
 * | request | bytes | what       | simple reply | bytes | what       | structured reply | bytes | what           |
 * | ---     | ---   | ---        | ---          | ---   | ---        | ---              | ---   | ---            |
 * | 0       | 4     | 0x25609513 | 0            | 4     | 0x67446698 | 0                | 4     | 0x668e33ef     |
 * | 4       | 2     | flags      | 4            | 4     | error      | 4                | 2     | flags (1 done) |
 * | 6       | 2     | command    | 8            | 8     | cookie     | 6                | 2     | type           |
 * | 8       | 8     | cookie     | 16           | n     | data read  | 8                | 8     | cookie         |
 * | 16      | 8     | offset     |              |       |            | 16               | 4     | payload length |
 * | 24      | 4     | length     |              |       |            | 20               | n     | payload        |
 * | 28      | n     | written    |              |       |            |                  |       |                |
 */
export const requestBytes = 28;
export const simpleReplyBytes = 16;
export const structuredHeaderBytes = 20;
/** Structured header and the offset that precedes the data of a read. */
export const dataChunkPrefixBytes = structuredHeaderBytes + 8;

export interface Request {
  readonly flags: number;
  readonly command: number;
  /** As two words: the server only gives it back. */
  readonly cookieHigh: number;
  readonly cookieLow: number;
  /** Past 2^53 it is rounded, which is past the end of every disk here. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export type Cookie = Pick<Request, "cookieHigh" | "cookieLow">;

/** Undefined for bytes that are no request. */
export function parseRequest(bytes: Buffer): Request | undefined {
  if (bytes.readUInt32BE(0) !== magics.request) return undefined;
  return {
    flags: bytes.readUInt16BE(4),
    command: bytes.readUInt16BE(6),
    cookieHigh: bytes.readUInt32BE(8),
    cookieLow: bytes.readUInt32BE(12),
    offsetBytes: bytes.readUInt32BE(16) * 2 ** 32 + bytes.readUInt32BE(20),
    lengthBytes: bytes.readUInt32BE(24),
  };
}

export function writeSimpleReply(into: Buffer, at: number, cookie: Cookie, errno: number): void {
  into.writeUInt32BE(magics.simpleReply, at);
  into.writeUInt32BE(errno, at + 4);
  into.writeUInt32BE(cookie.cookieHigh, at + 8);
  into.writeUInt32BE(cookie.cookieLow, at + 12);
}

/** Header and offset of a reply whose only chunk is the data of a read. */
export function writeDataChunkPrefix(into: Buffer, at: number, request: Request): void {
  writeStructuredHeader(into, at, request, {
    type: replyTypes.offsetData,
    payloadBytes: 8 + request.lengthBytes,
  });
  writeOffset(into, at + structuredHeaderBytes, request.offsetBytes);
}

/** A read whose bytes are all zero. */
export function encodeHoleChunk(request: Request): Buffer {
  const bytes = Buffer.alloc(structuredHeaderBytes + 12);
  writeStructuredHeader(bytes, 0, request, { type: replyTypes.offsetHole, payloadBytes: 12 });
  writeOffset(bytes, structuredHeaderBytes, request.offsetBytes);
  bytes.writeUInt32BE(request.lengthBytes, structuredHeaderBytes + 8);
  return bytes;
}

/** Error (4), message length (2), message. */
export function encodeErrorChunk(cookie: Cookie, errno: number, message: string): Buffer {
  const text = Buffer.from(message.slice(0, 1000));
  const bytes = Buffer.alloc(structuredHeaderBytes + 6 + text.length);
  writeStructuredHeader(bytes, 0, cookie, { type: replyTypes.error, payloadBytes: 6 + text.length });
  bytes.writeUInt32BE(errno, structuredHeaderBytes);
  bytes.writeUInt16BE(text.length, structuredHeaderBytes + 4);
  text.copy(bytes, structuredHeaderBytes + 6);
  return bytes;
}

export interface StatusExtents {
  readonly contextId: number;
  readonly extents: readonly Pick<ImageExtent, "kind" | "lengthBytes">[];
}

/** Context id (4), then length (4) and flags (4) of each extent. */
export function encodeBlockStatus(cookie: Cookie, { contextId, extents }: StatusExtents): Buffer {
  const payloadBytes = 4 + 8 * extents.length;
  const bytes = Buffer.alloc(structuredHeaderBytes + payloadBytes);
  writeStructuredHeader(bytes, 0, cookie, { type: replyTypes.blockStatus, payloadBytes });
  bytes.writeUInt32BE(contextId, structuredHeaderBytes);
  let at = structuredHeaderBytes + 4;
  for (const extent of extents) {
    bytes.writeUInt32BE(extent.lengthBytes, at);
    bytes.writeUInt32BE(extent.kind === "zero" ? allocation.hole | allocation.zero : 0, at + 4);
    at += 8;
  }
  return bytes;
}

function writeStructuredHeader(
  into: Buffer,
  at: number,
  cookie: Cookie,
  chunk: { readonly type: number; readonly payloadBytes: number },
): void {
  into.writeUInt32BE(magics.structuredReply, at);
  into.writeUInt16BE(replyDone, at + 4);
  into.writeUInt16BE(chunk.type, at + 6);
  into.writeUInt32BE(cookie.cookieHigh, at + 8);
  into.writeUInt32BE(cookie.cookieLow, at + 12);
  into.writeUInt32BE(chunk.payloadBytes, at + 16);
}

function writeOffset(into: Buffer, at: number, offsetBytes: number): void {
  into.writeUInt32BE(Math.floor(offsetBytes / 2 ** 32), at);
  into.writeUInt32BE(offsetBytes % 2 ** 32, at + 4);
}
