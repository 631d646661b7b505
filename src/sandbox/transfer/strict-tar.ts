import { KeyframeError } from "../../base/errors.ts";
import { tarBlockBytes, tarChecksum } from "../../base/ustar.ts";

// The plainest tar (POSIX ustar): regular files with short names, in the order that the first member declares. What
// packs are made of; nothing else is read.

/** Largest size that the header's octal digits hold. */
const maxMemberBytes = 8 ** 11 - 1;

export interface PackMember {
  readonly name: string;
  readonly sizeBytes: number;
}

export function encodePackHeader(member: PackMember): Buffer {
  if (Buffer.byteLength(member.name) > 99 || member.sizeBytes > maxMemberBytes) {
    throw new KeyframeError("too-large", `${member.name} does not fit a pack`);
  }
  const block = Buffer.alloc(tarBlockBytes);
  block.write(member.name, 0);
  block.write("0000600\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${member.sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("0", 156);
  block.write("ustar\0" + "00", 257);
  block.write(`${tarChecksum(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** Undefined for the end of the archive; `damaged` for anything that `encodeTarHeader` does not write. */
export function parsePackHeader(block: Buffer): PackMember | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const name = block.toString("utf8", 0, block.indexOf(0));
  const size = /^([0-7]{11})\0$/.exec(block.toString("latin1", 124, 136))?.[1];
  if (size === undefined || block.toString("latin1", 156, 157) !== "0")
    throw damaged("a member is not a plain file");
  const member = { name, sizeBytes: Number.parseInt(size, 8) };
  if (name.length > 99 || !encodePackHeader(member).equals(block))
    throw damaged("a header is not as Keyframe writes it");
  return member;
}

function damaged(why: string): KeyframeError {
  return new KeyframeError("damaged", `not a Keyframe pack: ${why}`);
}
