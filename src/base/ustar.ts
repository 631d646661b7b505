// What all tar formats share (POSIX ustar): blocks, their padding, and the checksum of a header.

export const tarBlockBytes = 512;

/** Bytes that fill a member up to whole blocks. */
export function tarPadding(sizeBytes: number): number {
  return (tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes;
}

/** The sum of a header's bytes, those of the checksum itself (148 to 155) as spaces. */
export function tarChecksum(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < header.length; index += 1) {
    if (index < 148 || index >= 156) sum += header.readUInt8(index);
  }
  return sum;
}
