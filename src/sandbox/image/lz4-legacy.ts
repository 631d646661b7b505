import { KeyframeError } from "../../base/errors.ts";

const magic = Buffer.from([0x02, 0x21, 0x4c, 0x18]);
const blockBytes = 8 * 1024 * 1024;

/** Where an LZ4 "legacy" frame starts: what a kernel image holds; -1 if there is none. */
export function findLz4Legacy(bytes: Buffer): number {
  return bytes.indexOf(magic);
}

/**
 * Unpacks an LZ4 "legacy" frame: the magic, then blocks, each a 4-byte little-endian size and that many bytes, each
 * 8 MiB unpacked but the last (lz4_Frame_format.md, "Legacy frame"). Ends at the first size that cannot be a block's.
 */
export function unpackLz4Legacy(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  let at = magic.length;
  while (at + 4 <= bytes.length) {
    const size = bytes.readUInt32LE(at);
    if (size === 0 || size > blockBytes * 2 || at + 4 + size > bytes.length) break;
    const block = unpackBlock(bytes.subarray(at + 4, at + 4 + size));
    blocks.push(block);
    at += 4 + size;
    if (block.length < blockBytes) break;
  }
  return Buffer.concat(blocks);
}

function unpackBlock(source: Buffer): Buffer {
  const out = Buffer.allocUnsafe(blockBytes);
  let from = 0;
  let to = 0;
  const length = (short: number): number => {
    let total = short;
    if (short !== 15) return total;
    for (;;) {
      const more = source[from];
      if (more === undefined) throw damaged();
      from += 1;
      total += more;
      if (more !== 255) return total;
    }
  };
  while (from < source.length) {
    const token = source[from] ?? 0;
    from += 1;
    const literals = length(token >>> 4);
    if (from + literals > source.length || to + literals > blockBytes) throw damaged();
    source.copy(out, to, from, from + literals);
    from += literals;
    to += literals;
    if (from >= source.length) break;
    if (from + 2 > source.length) throw damaged();
    const back = source.readUInt16LE(from);
    from += 2;
    const match = length(token & 15) + 4;
    if (back === 0 || back > to || to + match > blockBytes) throw damaged();
    // an overlapping match repeats what it has just written
    if (back >= match) out.copy(out, to, to - back, to - back + match);
    else for (let index = 0; index < match; index += 1) out[to + index] = out[to - back + index] ?? 0;
    to += match;
  }
  return out.subarray(0, to);
}

function damaged(): KeyframeError {
  return new KeyframeError("damaged", "the kernel's LZ4 payload is not valid");
}
