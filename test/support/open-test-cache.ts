import { join } from "node:path";
import { createScratchStore } from "../../src/blocks/cache/cache-store.ts";
import {
  type ChunkCache,
  type ChunkCacheOptions,
  openChunkCache,
} from "../../src/blocks/cache/chunk-cache.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import type { MemoryImage } from "./memory-image.ts";
import { scratchFolder } from "./scratch.ts";

export interface TestCacheOptions extends Partial<Omit<ChunkCacheOptions, "source" | "store">> {
  readonly trackingBytes?: number;
}

/** A cache over an image in memory, in a directory that goes away with the test. */
export function openTestCache(source: MemoryImage, options: TestCacheOptions = {}): ChunkCache {
  const { trackingBytes, ...rest } = options;
  const file = openNodeSparseFile(join(scratchFolder(), "data"), { mode: "create" });
  const store = createScratchStore(file, {
    sizeBytes: source.sizeBytes,
    blockSizeBytes: source.blockSizeBytes,
    ...(trackingBytes === undefined ? {} : { trackingBytes }),
  });
  return openChunkCache({ source, store, ...rest });
}

/** What a file of these bytes would answer. */
export function sliceOf(content: Buffer, offsetBytes: number, lengthBytes: number): Buffer {
  return content.subarray(offsetBytes, offsetBytes + lengthBytes);
}

/** Like `toEqual`, at the speed of memory: says where the first difference is. */
export function expectBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return;
  const length = Math.min(actual.length, expected.length);
  let at = 0;
  while (at < length && actual[at] === expected[at]) at += 1;
  throw new Error(
    `bytes differ at ${at}: ${actual[at]} (of ${actual.length}), expected ${expected[at]} (of ${expected.length})`,
  );
}

export async function readBytes(
  reader: { read(into: Buffer, offsetBytes: number, signal?: AbortSignal): number | Promise<number> },
  offsetBytes: number,
  lengthBytes: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const into = Buffer.alloc(lengthBytes, 0xee);
  const count = await reader.read(into, offsetBytes, signal);
  return into.subarray(0, count);
}
