import type { DirtyBlock } from "../../src/blocks/overlay/dirty-blocks.ts";

/** The parent's bytes with an export laid over them, and how many blocks of each kind there were. */
export async function applyDirtyBlocks(
  parent: Buffer,
  blocks: AsyncIterable<DirtyBlock>,
  blockSizeBytes: number,
): Promise<{ readonly content: Buffer; readonly data: number[]; readonly zero: number[] }> {
  const content = Buffer.from(parent);
  const data: number[] = [];
  const zero: number[] = [];
  for await (const block of blocks) {
    const at = block.blockIndex * blockSizeBytes;
    if ("zero" in block) {
      content.subarray(at, at + blockSizeBytes).fill(0);
      zero.push(block.blockIndex);
    } else {
      block.data.copy(content, at);
      data.push(block.blockIndex);
    }
  }
  return { content, data, zero };
}
