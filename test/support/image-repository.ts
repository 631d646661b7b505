import { setMaxListeners } from "node:events";
import { loadZstd } from "../../src/blocks/formats/zstd.ts";
import type { BlockWrite } from "../../src/blocks/images/publish/block-writes.ts";
import type { ImageRepository } from "../../src/blocks/images/repository/image-repository.ts";
import {
  createMemoryStore,
  type MemoryStore,
  type MemoryStoreFaults,
} from "../../src/blocks/stores/memory-store.ts";
import type { StreamedImage } from "../../src/blocks/streamed-image.ts";
import { type Clock, nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import { nodeRandom } from "../../src/system/random.ts";
import { scratchFolder } from "./scratch.ts";

export interface MemoryRepositoryOptions {
  readonly clock?: Clock;
  readonly faults?: MemoryStoreFaults;
  readonly pieceBytes?: number;
}

/** A repository whose objects are in memory; its scratch directory goes when the test ends. */
export async function memoryRepository(
  options: MemoryRepositoryOptions = {},
): Promise<ImageRepository & { readonly store: MemoryStore }> {
  const clock = options.clock ?? nodeClock;
  return {
    store: createMemoryStore({ ...options, clock }),
    zstd: await loadZstd(),
    files: nodeFiles,
    openFile: openNodeSparseFile,
    clock,
    random: nodeRandom,
    scratchFolder: scratchFolder(),
  };
}

/** The whole bytes as one write. */
export function wholeWrite(bytes: Buffer): BlockWrite[] {
  return [{ blockIndex: 0, data: bytes }];
}

/** The bytes of a range of an image; checks that every piece ends with a block or with the range. */
export async function readImage(
  image: StreamedImage,
  range = { offsetBytes: 0, lengthBytes: image.sizeBytes },
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let at = range.offsetBytes;
  for await (const piece of image.stream(range, new AbortController().signal)) {
    pieces.push(Buffer.from(piece));
    at += piece.length;
    if (at % image.blockSizeBytes !== 0 && at !== range.offsetBytes + range.lengthBytes) {
      throw new Error(`a piece ends at ${at}, inside a block`);
    }
    piece.fill(0xdb); // it belongs to us: what we do to it must not show up anywhere
  }
  return Buffer.concat(pieces);
}

export const neverAborted: AbortSignal = new AbortController().signal;
setMaxListeners(0, neverAborted); // all tests of a thread listen to it
