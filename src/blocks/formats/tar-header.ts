import { KeyframeError } from "../../base/errors.ts";
import { tarBlockBytes, tarChecksum } from "../../base/ustar.ts";

// POSIX ustar, the part that a pack needs: plain files with short names. docs/formats/layer.md, "Packs".

export interface PackEntry {
  readonly name: string;
  readonly sizeBytes: number;
}

/** A header with fixed owner, mode and time, so that equal content makes equal packs. */
export function encodeTarHeader({ name, sizeBytes }: PackEntry): Buffer {
  const bytes = Buffer.alloc(tarBlockBytes);
  bytes.write(name, 0, 100, "latin1");
  bytes.write("0000644\0" + "0000000\0" + "0000000\0", 100, "latin1");
  if (sizeBytes < 8 ** 11) bytes.write(sizeBytes.toString(8).padStart(11, "0"), 124, "latin1");
  else {
    bytes.writeUInt8(0x80, 124); // a length of 8 GiB or more is binary
    bytes.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  bytes.write("00000000000\0", 136, "latin1");
  bytes.write("0", 156, "latin1");
  bytes.write("ustar\0" + "00", 257, "latin1");
  bytes.write(`${tarChecksum(bytes).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

/** Undefined for the block of zeros that ends an archive; throws `invalid-input` for all but plain files. */
export function parseTarHeader(bytes: Buffer): PackEntry | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  if (Number.parseInt(bytes.toString("latin1", 148, 154), 8) !== tarChecksum(bytes)) {
    throw new KeyframeError("damaged", "the pack is damaged: a header's checksum is wrong");
  }
  const name = text(bytes, 0, 100);
  const kind = bytes.toString("latin1", 156, 157);
  if ((kind !== "0" && kind !== "\0") || text(bytes, 345, 500) !== "") {
    throw new KeyframeError(
      "invalid-input",
      `the pack holds ${JSON.stringify(name)}, which is not a plain file with a short name`,
    );
  }
  const sizeBytes =
    bytes.readUInt8(124) === 0x80
      ? Number(bytes.readBigUInt64BE(128))
      : Number.parseInt(text(bytes, 124, 136).trim() || "x", 8);
  if (!Number.isSafeInteger(sizeBytes))
    throw new KeyframeError("damaged", "the pack is damaged: a length is not a number");
  return { name, sizeBytes };
}

function text(bytes: Buffer, start: number, end: number): string {
  const zero = bytes.subarray(start, end).indexOf(0);
  return bytes.toString("latin1", start, zero === -1 ? end : start + zero);
}
