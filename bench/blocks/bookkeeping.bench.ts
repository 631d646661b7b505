import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createScratchStore } from "../../src/blocks/cache/cache-store.ts";
import { type ChunkCache, openChunkCache } from "../../src/blocks/cache/chunk-cache.ts";
import type { StreamedImage } from "../../src/blocks/streamed-image.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import { createFakeRandom } from "../../src/system/random.ts";
import type { BenchResult } from "../bench-result.ts";
import { median } from "../measure.ts";

const chunkBytes = 4 * 1024 * 1024;
const blockBytes = 4096;

/**
 * What a cache remembers per fetched chunk of 4 MiB, beside a map with an entry per 4 KiB block; and what a read of
 * bytes that are there allocates, beside the bare system call of Node.
 */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const chunks = tiny ? 3 : 336;
  const warmChunks = tiny ? 1 : 16;
  const folder = mkdtempSync(join(tmpdir(), "kf-bench-"));
  const content = createFakeRandom(7).bytes(chunkBytes);
  const image = repeatedImage(content, chunks);
  const heldBytes = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  try {
    const file = openNodeSparseFile(join(folder, "data"), { mode: "create" });
    const into = Buffer.allocUnsafe(blockBytes);
    const fetchChunk = async (cache: ChunkCache, chunk: number) => {
      await cache.read(into, chunk * chunkBytes + 5 * blockBytes);
      while (cache.presentBlocks() < ((chunk + 1) * chunkBytes) / blockBytes) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const fetchAll = async (trackingBytes: number) => {
      const store = createScratchStore(file, { ...image, trackingBytes });
      const cache = openChunkCache({ source: image, store, recordTouches: true });
      // the first chunks pay for code and buffers that are made once
      for (let chunk = 0; chunk < warmChunks; chunk += 1) await fetchChunk(cache, chunk);
      const batches = tiny ? 1 : 5;
      const batchChunks = (chunks - warmChunks) / batches;
      const growths: number[] = [];
      for (let batch = 0; batch < batches; batch += 1) {
        const first = warmChunks + batch * batchChunks;
        const before = heldBytes();
        for (let chunk = first; chunk < first + batchChunks; chunk += 1) await fetchChunk(cache, chunk);
        growths.push((heldBytes() - before) / batchChunks);
      }
      // the runtime's own garbage of one batch (timers, compiled code) is not the cache's: the median of the batches
      return { cache, perChunk: store.bits.words.byteLength / chunks + Math.max(0, median(growths)) };
    };
    const coarse = await fetchAll(2 * 1024 * 1024);
    const { cache, perChunk } = await fetchAll(blockBytes);

    const beforeMap = heldBytes();
    const map = new Map<number, boolean>();
    for (let block = 0; block < (chunks * chunkBytes) / blockBytes; block += 1)
      map.set(block * blockBytes, true);
    const perChunkOfMap = (heldBytes() - beforeMap) / chunks;

    const reads = 2000;
    const rounds = tiny ? 1 : 15;
    const place = (index: number) => (index % 1024) * blockBytes;
    const ways = {
      bare: (index: number) => file.readSync(into, place(index)),
      cached: (index: number) => cache.read(into, place(index)),
    };
    const allocated = { bare: [] as number[], cached: [] as number[] };
    // the first rounds pay for compiling
    for (let round = -rounds; round < rounds; round += 1) {
      for (const name of ["bare", "cached"] as const) {
        const read = ways[name];
        collect();
        const start = process.memoryUsage().heapUsed;
        for (let index = 0; index < reads; index += 1) void read(index);
        const perRead = (process.memoryUsage().heapUsed - start) / reads;
        if (round >= 0) allocated[name].push(perRead);
      }
    }
    const bare = median(allocated.bare);
    const cached = median(allocated.cached);
    const digest = createHash("sha256");
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      await cache.read(into, chunk * chunkBytes);
      digest.update(into);
    }
    const resultHash = digest.update(String(map.size)).digest("hex").slice(0, 16);
    await cache.close();
    const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
    return [
      {
        name: "bookkeeping of a fetched 4 MiB chunk, against a map entry per 4 KiB block",
        value: perChunk,
        unit: "B",
        floor: perChunkOfMap,
        ratio: perChunk / perChunkOfMap,
        peakMemoryBytes,
        resultHash,
      },
      {
        name: "the same with a bit for each 2 MiB",
        value: coarse.perChunk,
        unit: "B",
        floor: perChunkOfMap,
        ratio: coarse.perChunk / perChunkOfMap,
        peakMemoryBytes,
        resultHash,
      },
      {
        name: "allocated by a cached read of 4 KiB, against the bare positioned read",
        value: cached,
        unit: "B",
        floor: bare,
        ratio: cached / bare,
        peakMemoryBytes,
        resultHash,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One chunk's bytes over and over, at once. */
function repeatedImage(content: Buffer, times: number): StreamedImage {
  const pieceBytes = 64 * 1024;
  return {
    sizeBytes: content.length * times,
    blockSizeBytes: blockBytes,
    async *stream({ offsetBytes, lengthBytes }) {
      for (let done = 0; done < lengthBytes; done += pieceBytes) {
        const at = (offsetBytes + done) % content.length;
        yield content.subarray(at, at + Math.min(pieceBytes, lengthBytes - done));
      }
    },
    *extents(range) {
      if (range.lengthBytes > 0) yield { ...range, kind: "data" };
    },
    close: () => Promise.resolve(),
  };
}
