import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Bytes } from "../../src/blocks/formats/sha256.ts";
import { loadZstd } from "../../src/blocks/formats/zstd.ts";
import type { BlockWrite } from "../../src/blocks/images/publish/block-writes.ts";
import { commitBlocks } from "../../src/blocks/images/publish/commit-blocks.ts";
import { createFolderStore } from "../../src/blocks/stores/folder-store.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import { createFakeRandom, nodeRandom } from "../../src/system/random.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";

const blockSizeBytes = 4096;
/** Dirty blocks come in groups of this many, one group in ten. */
const groupBlocks = 8;

/**
 * Writes the dirty blocks of a 1 GiB image of which 10 % changed as a layer into a directory and publishes the image, in
 * turn with two floors: the same bytes copied into a synced file, and their compression and digests alone.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const sizeBytes = tiny ? 4 * 1024 * 1024 : 1024 ** 3;
  const folder = mkdtempSync(join(tmpdir(), "keyframe-bench-"));
  const signal = new AbortController().signal;
  const zstd = await loadZstd();
  const machine = { files: nodeFiles, openFile: openNodeSparseFile, random: nodeRandom };
  try {
    const times = {
      layer: Number.POSITIVE_INFINITY,
      copy: Number.POSITIVE_INFINITY,
      compute: Number.POSITIVE_INFINITY,
    };
    let resultHash = "";
    let rawBytes = 0;
    let peakBytes = 0;
    const startBytes = process.memoryUsage.rss();
    for (let round = 0; round < (tiny ? 1 : 3); round += 1) {
      const store = createFolderStore(join(folder, `store-${round}`), machine);
      const repository = { ...machine, store, zstd, clock: nodeClock, scratchFolder: folder };
      let calls = 0;
      const onProgress = () => {
        calls += 1;
        // asking the kernel costs as much as a frame does
        if (calls % 100 === 0) peakBytes = Math.max(peakBytes, process.memoryUsage.rss() - startBytes);
      };
      let start = performance.now();
      const image = await commitBlocks(repository, dirtyBlocks(sizeBytes), {
        sizeBytes,
        blockSizeBytes,
        signal,
        onProgress,
      });
      times.layer = Math.min(times.layer, performance.now() - start);
      resultHash = image.id.slice(0, 16);
      rawBytes = image.rawBytes;

      start = performance.now();
      await copyBlocks(join(folder, `copy-${round}`), dirtyBlocks(sizeBytes));
      times.copy = Math.min(times.copy, performance.now() - start);

      start = performance.now();
      for (const raw of windows(dirtyBlocks(sizeBytes))) sha256Bytes(zstd.compress(raw));
      times.compute = Math.min(times.compute, performance.now() - start);
    }
    const size = `${Math.round(rawBytes / 2 ** 20)} MiB of ${Math.round(sizeBytes / 2 ** 20)} dirty`;
    const shared = { value: times.layer, unit: "ms", peakMemoryBytes: peakBytes, resultHash };
    return [
      {
        name: `layer and image of ${size}, against zstd and SHA-256 alone`,
        floor: times.compute,
        ratio: times.layer / times.compute,
        ...shared,
      },
      {
        name: `layer and image of ${size}, against a synced copy`,
        floor: times.copy,
        ratio: times.layer / times.copy,
        ...shared,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Half random, half text-like bytes, the same in every run. */
function* dirtyBlocks(sizeBytes: number): Generator<BlockWrite & { readonly data: Buffer }> {
  const noise = createFakeRandom(3).bytes(1024 * 1024);
  const data = Buffer.alloc(groupBlocks * blockSizeBytes, "a line of text that repeats, more or less; ");
  for (let group = 0; group * 10 * groupBlocks * blockSizeBytes < sizeBytes; group += 1) {
    for (let block = 0; block < groupBlocks; block += 2) {
      const at = ((group * groupBlocks + block) * 7919) % (noise.length - blockSizeBytes);
      noise.copy(data, block * blockSizeBytes, at, at + blockSizeBytes);
    }
    for (let block = 0; block < groupBlocks; block += 1)
      data.writeUInt32LE(group * groupBlocks + block, block * blockSizeBytes);
    yield { blockIndex: group * 10 * groupBlocks, data };
  }
}

async function copyBlocks(
  path: string,
  writes: Iterable<BlockWrite & { readonly data: Buffer }>,
): Promise<void> {
  const file = openNodeSparseFile(path, { mode: "create" });
  let at = 0;
  for (const window of windows(writes)) {
    await file.write(window, at);
    at += window.length;
  }
  await file.syncData();
  await file.close();
}

/** The bytes in pieces of 64 KiB. */
function* windows(writes: Iterable<BlockWrite & { readonly data: Buffer }>): Generator<Buffer> {
  const window = Buffer.alloc(64 * 1024);
  let filled = 0;
  for (const { data } of writes) {
    filled += data.copy(window, filled);
    if (filled === window.length) yield window;
    filled %= window.length;
  }
  if (filled > 0) yield window.subarray(0, filled);
}
