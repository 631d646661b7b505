import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createScratchStore } from "../../src/blocks/cache/cache-store.ts";
import { type ChunkCache, openChunkCache } from "../../src/blocks/cache/chunk-cache.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import { createFakeRandom } from "../../src/system/random.ts";
import type { BenchResult } from "../bench-result.ts";
import { randomAccessTriples } from "./go-random.ts";
import { pacedImage, type StoreModel, waitUntil } from "./paced-image.ts";

const chunkBytes = 4 * 1024 * 1024;
const blockBytes = 4096;

const stores: readonly StoreModel[] = [
  { name: "20 ms, 100 MB/s", firstByteMs: 20, bytesPerMs: 100_000, sharedRate: false },
  { name: "20 ms, 100 MB/s shared", firstByteMs: 20, bytesPerMs: 100_000, sharedRate: true },
  { name: "1 ms, 500 MB/s", firstByteMs: 1, bytesPerMs: 500_000, sharedRate: false },
  { name: "1 ms, 500 MB/s shared", firstByteMs: 1, bytesPerMs: 500_000, sharedRate: true },
];

const caches = {
  "demand first, bit per block": { streamsPerChunk: 4, trackingBytes: blockBytes },
  "demand first, 2 MiB tracking": { streamsPerChunk: 4, trackingBytes: 2 * 1024 * 1024 },
  "one stream a chunk, bit per block": { streamsPerChunk: 1, trackingBytes: blockBytes },
} as const;

/**
 * Three readers at once ask a cold 4 MiB image for one random 4 KiB block each: mean time to a reader's answer, against
 * the floor of the store alone (first byte and one block), waited for with the same timers in the same run.
 */
export async function run(options: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const iterations = options.tiny ? 2 : 150;
  const triples = randomAccessTriples();
  const content = createFakeRandom(42).bytes(chunkBytes);
  const folder = mkdtempSync(join(tmpdir(), "kf-bench-"));
  const results: BenchResult[] = [];
  try {
    for (const store of options.tiny ? stores.slice(2) : stores) {
      const means = new Map<string, { total: number; worst: number; opens: number; fullMs: number }>();
      const digest = createHash("sha256");
      const add = (name: string, times: readonly number[], more: { opens: number; fullMs: number }) => {
        const sum = means.get(name) ?? { total: 0, worst: 0, opens: 0, fullMs: 0 };
        for (const time of times) {
          sum.total += time / times.length / iterations;
          sum.worst = Math.max(sum.worst, time);
        }
        sum.opens += more.opens / iterations;
        sum.fullMs += more.fullMs / iterations;
        means.set(name, sum);
      };
      for (let iteration = 0; iteration < iterations; iteration += 1) {
        const triple = triples[iteration % triples.length] ?? [];
        // in turn, so that a busy machine slows all alike
        add("floor", await floorTimes(store, triple.length), { opens: 0, fullMs: 0 });
        for (const [name, cacheOptions] of Object.entries(caches)) {
          const image = pacedImage(content, store);
          const cache = openBenchCache(folder, image, cacheOptions);
          const startMs = performance.now();
          const times = await Promise.all(
            triple.map(async (index) => {
              const into = Buffer.allocUnsafe(blockBytes);
              await cache.read(into, index * blockBytes);
              const time = performance.now() - startMs;
              digest.update(into);
              if (!into.equals(content.subarray(index * blockBytes, (index + 1) * blockBytes))) {
                throw new Error(`block ${index} is wrong`);
              }
              return time;
            }),
          );
          while (cache.presentBlocks() < chunkBytes / blockBytes) await waitUntil(performance.now() + 0.2);
          add(name, times, { opens: image.served.opens, fullMs: performance.now() - startMs });
          await cache.close();
        }
      }
      const floor = means.get("floor")?.total ?? Number.NaN;
      const resultHash = digest.digest("hex").slice(0, 16);
      for (const [name, { total, worst, opens, fullMs }] of means) {
        if (name === "floor") continue;
        const detail = `worst ${worst.toFixed(1)} ms, whole chunk ${fullMs.toFixed(1)} ms, ${opens.toFixed(1)} requests`;
        results.push({
          name: `random 4 KiB, ${store.name}: ${name} (${detail})`,
          value: total,
          unit: "ms",
          floor,
          ratio: total / floor,
          peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
          resultHash,
        });
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

interface BenchCacheOptions {
  readonly streamsPerChunk: number;
  readonly trackingBytes: number;
}

function openBenchCache(
  folder: string,
  image: ReturnType<typeof pacedImage>,
  { streamsPerChunk, trackingBytes }: BenchCacheOptions,
): ChunkCache {
  const file = openNodeSparseFile(join(folder, "data"), { mode: "create" });
  const store = createScratchStore(file, {
    sizeBytes: image.sizeBytes,
    blockSizeBytes: image.blockSizeBytes,
    trackingBytes,
  });
  return openChunkCache({ source: image, store, streamsPerChunk });
}

/** What the store alone takes until the first block of a request is there, for each of the readers. */
async function floorTimes(store: StoreModel, readers: number): Promise<number[]> {
  const startMs = performance.now();
  const dueMs = (reader: number) =>
    store.firstByteMs + ((store.sharedRate ? reader + 1 : 1) * blockBytes) / store.bytesPerMs;
  return Promise.all(
    Array.from({ length: readers }, async (_, reader) => {
      await waitUntil(startMs + dueMs(reader));
      return performance.now() - startMs;
    }),
  );
}
