import { crc32 } from "node:zlib";
import { KeyframeError } from "../../base/errors.ts";

/**
 * The order of an image's first touches, small enough to be stored beside its manifest. Little-endian.
 *
 * | offset | bytes | what                                                                   |
 * | ---    | ---   | ---                                                                    |
 * | 0      | 8     | magic `KFTOUCH1`                                                       |
 * | 8      | 4     | number of windows                                                      |
 * | 12     | 4     | window size, bytes                                                     |
 * | 16     | n     | for each window its index minus that before it (0 at first): zigzag, LEB128 |
 * | 16 + n | 4     | CRC-32 of all before                                                   |
 */
export interface AccessOrder {
  readonly windowBytes: number;
  readonly windows: Uint32Array;
}

const magic = Buffer.from("KFTOUCH1", "latin1");
const headerBytes = 16;
export const maxTouches = 16 * 1024 * 1024;
/** Five bytes a step at most. */
export const maxTouchOrderBytes = headerBytes + 4 + 5 * maxTouches;

export function encodeAccessOrder({ windowBytes, windows }: AccessOrder): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header, 0);
  header.writeUInt32LE(windows.length, 8);
  header.writeUInt32LE(windowBytes, 12);
  const steps: number[] = [];
  let before = 0;
  for (const window of windows) {
    const step = window - before;
    let rest = step < 0 ? -step * 2 - 1 : step * 2;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) steps.push((rest % 0x80) | 0x80);
    steps.push(rest);
    before = window;
  }
  const body = Buffer.concat([header, Buffer.from(steps)]);
  const check = Buffer.alloc(4);
  check.writeUInt32LE(crc32(body));
  return Buffer.concat([body, check]);
}

/** Throws `damaged` for anything but a whole list. */
export function parseAccessOrder(bytes: Buffer): AccessOrder {
  if (bytes.length < headerBytes + 4 || !bytes.subarray(0, 8).equals(magic))
    throw damaged("it has no header");
  const body = bytes.subarray(0, bytes.length - 4);
  if (bytes.readUInt32LE(body.length) !== crc32(body)) throw damaged("its checksum differs");
  const count = body.readUInt32LE(8);
  // each step takes a byte at least
  if (count > maxTouches || count > body.length - headerBytes) throw damaged("it is too short for its count");
  const windows = new Uint32Array(count);
  let position = headerBytes;
  let before = 0;
  for (let index = 0; index < count; index += 1) {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = body[position];
      if (byte === undefined || scale > 2 ** 35) throw damaged("a step is malformed");
      position += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    before += value % 2 === 1 ? -(value + 1) / 2 : value / 2;
    if (before < 0 || before > 0xffffffff) throw damaged("an index is out of range");
    windows[index] = before;
  }
  if (position !== body.length) throw damaged("there are bytes after the last step");
  return { windowBytes: body.readUInt32LE(12), windows };
}

function damaged(why: string): KeyframeError {
  return new KeyframeError("damaged", `the recorded touch order is not usable: ${why}`, {
    hint: "delete it: it only speeds up the next start",
  });
}
