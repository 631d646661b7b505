import { KeyframeError } from "../../base/errors.ts";

// An empty overlay in qcow2 version 3 (QEMU's docs/interop/qcow2.txt), big-endian, clusters of 64 KiB:
//
//   offset   content
//   0        header (104 bytes), end of header extensions (8), name of the backing file
//   64 KiB   refcount table: one entry
//   128 KiB  refcount block (16-bit counts): the clusters of this list are in use
//   192 KiB  level-1 table, all zero: everything is read from the backing file
//
// Written here and not by qemu-img, which takes 8-10 ms to start, and is not needed otherwise.

const clusterBits = 16;
const clusterBytes = 1 << clusterBits;
const headerBytes = 104;
const magic = 0x514649fb;

export interface EmptyOverlay {
  readonly virtualBytes: number;
  /** Relative to the overlay's directory. Never followed by Keyframe, which names every layer to QEMU; for other tools. */
  readonly backingFile: string;
  readonly backingFormat: "qcow2" | "raw";
}

export function encodeEmptyOverlay(overlay: EmptyOverlay): Buffer {
  const bytesPerLevel1Entry = clusterBytes * (clusterBytes / 8);
  const level1Entries = Math.max(1, Math.ceil(overlay.virtualBytes / bytesPerLevel1Entry));
  const level1Clusters = Math.ceil((level1Entries * 8) / clusterBytes);
  const usedClusters = 3 + level1Clusters;
  const bytes = Buffer.alloc(usedClusters * clusterBytes);
  const format = Buffer.from(overlay.backingFormat);
  const name = Buffer.from(overlay.backingFile);
  const extensionBytes = 8 + Math.ceil(format.length / 8) * 8;
  const nameOffset = headerBytes + extensionBytes + 8;
  if (name.length > 1023) throw new KeyframeError("too-large", "the path of a disk layer is too long");

  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt32BE(3, 4);
  bytes.writeBigUInt64BE(BigInt(nameOffset), 8);
  bytes.writeUInt32BE(name.length, 16);
  bytes.writeUInt32BE(clusterBits, 20);
  bytes.writeBigUInt64BE(BigInt(overlay.virtualBytes), 24);
  bytes.writeUInt32BE(level1Entries, 36);
  bytes.writeBigUInt64BE(BigInt(3 * clusterBytes), 40);
  bytes.writeBigUInt64BE(BigInt(clusterBytes), 48);
  bytes.writeUInt32BE(1, 56);
  // 72 incompatible, 80 compatible, 88 autoclear features: none
  bytes.writeUInt32BE(4, 96); // 16-bit reference counts
  bytes.writeUInt32BE(headerBytes, 100);
  bytes.writeUInt32BE(0xe2792aca, headerBytes); // extension: format of the backing file
  bytes.writeUInt32BE(format.length, headerBytes + 4);
  format.copy(bytes, headerBytes + 8);
  name.copy(bytes, nameOffset);
  bytes.writeBigUInt64BE(BigInt(2 * clusterBytes), clusterBytes);
  for (let cluster = 0; cluster < usedClusters; cluster += 1)
    bytes.writeUInt16BE(1, 2 * clusterBytes + cluster * 2);
  return bytes;
}

export interface Qcow2Facts {
  readonly virtualBytes: number;
}

/** The bytes of a header that parseQcow2Header looks at. */
export const qcow2HeaderBytes = headerBytes;

/**
 * Reads the header of a layer from outside. Refuses what could make QEMU open another file or be written by
 * something else: external data files, encryption, unknown features, internal snapshots.
 */
export function parseQcow2Header(bytes: Buffer, what: string): Qcow2Facts {
  if (bytes.length < headerBytes || bytes.readUInt32BE(0) !== magic) throw damaged(what, "it is not qcow2");
  if (bytes.readUInt32BE(4) !== 3) throw damaged(what, `qcow2 version ${bytes.readUInt32BE(4)}`);
  if (bytes.readUInt32BE(32) !== 0) throw damaged(what, "it is encrypted");
  if (bytes.readUInt32BE(60) !== 0) throw damaged(what, "it holds internal snapshots");
  // bit 0: not closed cleanly, which QEMU repairs on its own
  if ((bytes.readBigUInt64BE(72) & ~1n) !== 0n) throw damaged(what, "it needs features that are not allowed");
  return { virtualBytes: Number(bytes.readBigUInt64BE(24)) };
}

function damaged(what: string, why: string): KeyframeError {
  return new KeyframeError("damaged", `${what} is not a disk layer that Keyframe wrote: ${why}`);
}
