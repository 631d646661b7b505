import { asBuffer } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";

// Frames between host and guest (docs/formats/guest-protocol.md), little-endian:
//
//   offset  size  field
//   0       4     magic "KFF1"
//   4       4     type (guestFrameTypes)
//   8       4     stream
//   12      4     bits 0-19 payload length, bits 20-31 check over type, stream and length
//   16      n     payload

export const guestFrameTypes = {
  hello: 0x01,
  helloReply: 0x02,
  identity: 0x03,
  identityReply: 0x04,
  ping: 0x05,
  pong: 0x06,
  shutdown: 0x07,
  network: 0x08,
  exec: 0x10,
  put: 0x11,
  get: 0x12,
  files: 0x14,
  connect: 0x15,
  stdin: 0x18,
  stdinEnd: 0x19,
  signal: 0x1a,
  resize: 0x1b,
  cancel: 0x1c,
  credit: 0x1d,
  started: 0x20,
  stdout: 0x21,
  stderr: 0x22,
  exit: 0x23,
  failed: 0x24,
  stdinCredit: 0x25,
  outputEnd: 0x26,
  dial: 0x30,
  resolve: 0x31,
  resolved: 0x32,
} as const;

export interface GuestFrame {
  readonly type: number;
  /** 32 bits, unsigned. */
  readonly stream: number;
  /** At most maxGuestPayloadBytes. Parsed payloads own their memory. */
  readonly payload: Buffer;
}

export const maxGuestPayloadBytes = 65536;

const headerBytes = 16;
const magic = 0x3146464b;
const magicBytes = Buffer.from("KFF1");

export function encodeGuestFrame(
  type: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  if (payload.length > maxGuestPayloadBytes) {
    throw new KeyframeError("too-large", `a message of ${payload.length} bytes does not fit a guest frame`, {
      hint: "shorten the arguments or the environment, or pass them as a file",
    });
  }
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt32LE(magic, 0);
  frame.writeUInt32LE(type, 4);
  frame.writeUInt32LE(stream, 8);
  frame.writeUInt32LE((payload.length | (check(type, stream, payload.length) << 20)) >>> 0, 12);
  frame.set(payload, headerBytes);
  return frame;
}

export interface GuestFrameParser {
  /** Frames that are complete with this chunk. Bytes that belong to none are skipped and counted. */
  push(chunk: Uint8Array): GuestFrame[];
  readonly skippedBytes: number;
}

/** Reads frames from any cut of the stream, and finds the next frame after half of one. */
export function createGuestFrameParser(): GuestFrameParser {
  let pending = Buffer.alloc(0);
  let skippedBytes = 0;
  return {
    push(chunk) {
      const bytes = pending.length === 0 ? asBuffer(chunk) : Buffer.concat([pending, chunk]);
      const frames: GuestFrame[] = [];
      let at = 0;
      while (bytes.length - at >= headerBytes) {
        const size = payloadSize(bytes, at);
        if (size === undefined) {
          const next = bytes.indexOf(magicBytes, at + 1);
          // the last three bytes may be the start of a magic
          const to = next === -1 ? bytes.length - 3 : next;
          skippedBytes += to - at;
          at = to;
          continue;
        }
        if (bytes.length - at < headerBytes + size) break;
        const start = at + headerBytes;
        frames.push({
          type: bytes.readUInt32LE(at + 4),
          stream: bytes.readUInt32LE(at + 8),
          payload: Buffer.from(bytes.subarray(start, start + size)),
        });
        at = start + size;
      }
      pending = Buffer.from(bytes.subarray(at));
      return frames;
    },
    get skippedBytes() {
      return skippedBytes;
    },
  };
}

/** Undefined if no frame starts here. */
function payloadSize(bytes: Buffer, at: number): number | undefined {
  if (bytes.readUInt32LE(at) !== magic) return undefined;
  const sized = bytes.readUInt32LE(at + 12);
  const size = sized & 0xfffff;
  if (size > maxGuestPayloadBytes) return undefined;
  const expected = check(bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 8), size);
  return sized >>> 20 === expected ? size : undefined;
}

/** 12 bits, so that a magic that occurs in data is not taken for a frame. */
function check(type: number, stream: number, length: number): number {
  const mixed = (type ^ stream ^ length ^ 0x5ac3a5) >>> 0;
  return (mixed ^ (mixed >>> 12) ^ (mixed >>> 24)) & 0xfff;
}
