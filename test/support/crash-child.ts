import { writeSync } from "node:fs";
import { openCacheFolder } from "../../src/blocks/cache/cache-directory.ts";
import { openChunkCache } from "../../src/blocks/cache/chunk-cache.ts";
import { openOverlay } from "../../src/blocks/overlay/overlay.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import { nodeRandom } from "../../src/system/random.ts";
import { crashBlockBytes, crashBlocks, crashRounds, crashStep } from "./crash-rounds.ts";
import { memoryImage, patternBytes } from "./memory-image.ts";
import { memoryReader } from "./memory-reader.ts";

const [kind, folder = ""] = process.argv.slice(2);
const content = patternBytes(crashBlocks * crashBlockBytes, 21);
const system = { files: nodeFiles, openSparseFile: openNodeSparseFile, clock: nodeClock, random: nodeRandom };
const id = Buffer.alloc(32, 1);
const say = (text: string) => writeSync(1, `${text}\n`);

if (kind === "overlay") await writeRounds();
else await fetchChunks();

async function writeRounds(): Promise<void> {
  const overlay = await openOverlay({ folder, parent: memoryReader(content), parentId: id }, system);
  say("open");
  for (let round = 1; round <= crashRounds; round += 1) {
    const { blocks, fill } = crashStep(round);
    const range = {
      offsetBytes: (blocks[0] ?? 0) * crashBlockBytes,
      lengthBytes: blocks.length * crashBlockBytes,
    };
    say(`start ${round}`);
    if (fill === 0) await overlay.writeZeroes(range);
    else await overlay.write(Buffer.alloc(range.lengthBytes, fill), range.offsetBytes);
    await overlay.flush();
    say(`flushed ${round}`);
    if (round === 6) await overlay.rebase(memoryReader(content), id);
  }
  await overlay.close();
}

async function fetchChunks(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    const image = memoryImage(content);
    const store = openCacheFolder(
      { folder, imageId: id, sizeBytes: image.sizeBytes, blockSizeBytes: crashBlockBytes },
      system,
    );
    const cache = openChunkCache({ source: image, store, chunkBytes: 16 * crashBlockBytes });
    await cache.read(Buffer.alloc(16 * crashBlockBytes), round * 16 * crashBlockBytes);
    await cache.close();
    say(`closed ${round}`);
  }
}
