import { KeyframeError } from "../../base/errors.ts";
import { tarBlockBytes, tarChecksum, tarPadding } from "../../base/ustar.ts";

// POSIX ustar with GNU's long names and binary numbers: what root file systems and copies are carried in.
//
//   offset  size  field
//   0       100   path
//   100     8     mode, octal
//   108     8     user id, octal, or binary with bit 7 of the first byte set
//   116     8     group id, the same
//   124     12    size, the same
//   136     12    time of the last change, seconds, the same
//   148     8     checksum, octal
//   156     1     type
//   157     100   link target
//   257     8     "ustar" and a version
//   329     16    major and minor number of a device
//   345     155   prefix of the path, POSIX only

export type TarEntryKind = "file" | "folder" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** Names are byte strings: one character for each byte, whatever its encoding (see `textOfName`). */
export interface TarEntry {
  readonly path: string;
  readonly kind: TarEntryKind;
  /** Permission bits. */
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  /** Of a file; 0 for everything else. */
  readonly sizeBytes: number;
  readonly modifiedAtS: number;
  /** Of a symlink or hardlink, else empty. */
  readonly linkTarget: string;
  readonly major: number;
  readonly minor: number;
}

/** A header as it is written, before long names and extended records are applied. */
export interface RawTarHeader extends Omit<TarEntry, "kind"> {
  readonly type: string;
}

export const entryKinds: Readonly<Record<string, TarEntryKind>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "folder",
  "6": "fifo",
};

const typeOf: Readonly<Record<TarEntryKind, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  folder: "5",
  fifo: "6",
};

/** For messages and for the paths of this machine. */
export function textOfName(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

export function nameOfText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Undefined for the block of zeros that ends an archive; `damaged` if the checksum or a number is wrong. */
export function parseRawHeader(block: Buffer): RawTarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (Number.parseInt(block.toString("latin1", 148, 156), 8) !== tarChecksum(block)) {
    throw new KeyframeError("damaged", "the tar is damaged: the checksum of a header is wrong");
  }
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? text(block, 345, 500) : "";
  const name = text(block, 0, 100);
  return {
    path: prefix === "" ? name : `${prefix}/${name}`,
    type: block.toString("latin1", 156, 157),
    mode: number(block, 100, 108) & 0o7777,
    userId: number(block, 108, 116),
    groupId: number(block, 116, 124),
    sizeBytes: number(block, 124, 136),
    modifiedAtS: number(block, 136, 148),
    linkTarget: text(block, 157, 257),
    major: number(block, 329, 337),
    minor: number(block, 337, 345),
  };
}

/** Header and, where a name is long, the members that carry it. */
export function encodeTarEntry(entry: TarEntry): Buffer {
  const parts: Buffer[] = [];
  for (const [type, name] of [
    ["L", entry.path],
    ["K", entry.linkTarget],
  ] as const) {
    if (name.length <= 100) continue;
    const bytes = Buffer.from(`${name}\0`, "latin1");
    parts.push(header("././@LongLink", type, { sizeBytes: bytes.length }), padded(bytes));
  }
  parts.push(header(entry.path, typeOf[entry.kind], entry));
  return Buffer.concat(parts);
}

export const tarEnd: Buffer = Buffer.alloc(2 * tarBlockBytes);

function header(path: string, type: string, entry: Partial<TarEntry>): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  block.write(path, 0, 100, "latin1");
  writeNumber(block, 100, 8, entry.mode ?? 0);
  writeNumber(block, 108, 8, entry.userId ?? 0);
  writeNumber(block, 116, 8, entry.groupId ?? 0);
  writeNumber(block, 124, 12, entry.sizeBytes ?? 0);
  writeNumber(block, 136, 12, Math.max(0, Math.floor(entry.modifiedAtS ?? 0)));
  block.write(type, 156, "latin1");
  block.write(entry.linkTarget ?? "", 157, 100, "latin1");
  block.write("ustar  \0", 257, "latin1");
  writeNumber(block, 329, 8, entry.major ?? 0);
  writeNumber(block, 337, 8, entry.minor ?? 0);
  block.write(`${tarChecksum(block).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function writeNumber(block: Buffer, at: number, size: number, value: number): void {
  if (value < 8 ** (size - 1)) {
    block.write(`${value.toString(8).padStart(size - 1, "0")}\0`, at, "latin1");
    return;
  }
  block.writeUIntBE(value, at + size - 6, 6);
  block.writeUInt8(0x80, at);
}

function number(block: Buffer, start: number, end: number): number {
  const first = block.readUInt8(start);
  const value =
    first >= 0x80
      ? binaryNumber(block.subarray(start, end))
      : Number.parseInt(text(block, start, end).trim() || "0", 8);
  if (Number.isSafeInteger(value)) return value;
  throw new KeyframeError("damaged", "the tar is damaged: a number of a header is not one");
}

/** Two's complement, big-endian, bit 7 of the first byte set; what is below 0 is a time before 1970: 0 is near enough. */
function binaryNumber(bytes: Buffer): number {
  if (bytes.readUInt8(0) === 0xff) return 0;
  let value = bytes.readUInt8(0) & 0x7f;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  return value;
}

function text(block: Buffer, start: number, end: number): string {
  const zero = block.subarray(start, end).indexOf(0);
  return block.toString("latin1", start, zero === -1 ? end : start + zero);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(tarPadding(bytes.length))]);
}
