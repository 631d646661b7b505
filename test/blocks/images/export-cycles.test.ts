import { join } from "node:path";
import { expect, test } from "vitest";
import { createScratchStore } from "../../../src/blocks/cache/cache-store.ts";
import { openChunkCache } from "../../../src/blocks/cache/chunk-cache.ts";
import type { BlockWrite } from "../../../src/blocks/images/publish/block-writes.ts";
import { commitBlocks } from "../../../src/blocks/images/publish/commit-blocks.ts";
import { openImage } from "../../../src/blocks/images/read/layered-image.ts";
import type { FoundImage } from "../../../src/blocks/images/read/read-image.ts";
import type { DirtyBlock } from "../../../src/blocks/overlay/dirty-blocks.ts";
import { openOverlay } from "../../../src/blocks/overlay/overlay.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";
import { memoryRepository, readImage, wholeWrite } from "../../support/image-repository.ts";
import { scratchFolder } from "../../support/scratch.ts";

const block = 4096;
const sizeBytes = 64 * block;

async function* blockWrites(blocks: AsyncIterable<DirtyBlock>): AsyncGenerator<BlockWrite> {
  for await (const found of blocks) {
    yield "zero" in found ? { blockIndex: found.blockIndex, zeroBlocks: 1 } : found;
  }
}

test("200 cycles of opening a stored image, writing, exporting it as a layer and opening that keep every byte of a plain file", async () => {
  const repository = await memoryRepository();
  const { signal } = new AbortController();
  const plain = Buffer.from(Array.from({ length: sizeBytes }, (_, index) => (index * 31) & 0xff));
  let image: FoundImage = await commitBlocks(repository, wholeWrite(Buffer.from(plain)), {
    sizeBytes,
    blockSizeBytes: block,
    signal,
  });
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let cycle = 0; cycle < 200; cycle += 1) {
    const folder = scratchFolder();
    const file = openNodeSparseFile(join(folder, "cache"), { mode: "create" });
    const parent = openChunkCache({
      source: openImage(repository, image.manifest),
      store: createScratchStore(file, { sizeBytes, blockSizeBytes: block }),
    });
    const overlay = await openOverlay(
      { folder: join(folder, "overlay"), parent, parentId: Buffer.from(image.id, "hex") },
      { files: nodeFiles, openSparseFile: openNodeSparseFile },
    );
    for (let write = 0; write < 4; write += 1) {
      const offsetBytes = random(sizeBytes);
      const lengthBytes = Math.min(1 + random(3 * block), sizeBytes - offsetBytes);
      if (write === 3) {
        await overlay.writeZeroes({ offsetBytes, lengthBytes });
        plain.fill(0, offsetBytes, offsetBytes + lengthBytes);
      } else {
        const bytes = Buffer.alloc(lengthBytes, cycle + write);
        await overlay.write(bytes, offsetBytes);
        bytes.copy(plain, offsetBytes);
      }
    }
    await overlay.freeze();
    const options = { sizeBytes, blockSizeBytes: block, parent: image, signal };
    image = await commitBlocks(repository, blockWrites(overlay.dirtyBlocks()), options);
    await overlay.close();
    const reopened = openImage(repository, image.manifest);
    expect((await readImage(reopened)).equals(plain)).toBe(true);
    await reopened.close();
  }
});
