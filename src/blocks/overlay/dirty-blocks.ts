import { KeyframeError } from "../../base/errors.ts";
import type { RandomAccessImage } from "../random-access-image.ts";
import type { BlockStates } from "./block-states.ts";
import { isZero } from "./map.ts";

/** A block of an export. The last block of an image may be shorter than the others. */
export type DirtyBlock =
  | { readonly blockIndex: number; readonly data: Buffer }
  | { readonly blockIndex: number; readonly zero: true };

export interface DirtyBlocksOptions {
  readonly states: BlockStates;
  readonly parent: RandomAccessImage;
  readData(into: Buffer, offsetBytes: number): Promise<number>;
  readonly signal?: AbortSignal | undefined;
}

const batchBytes = 1024 * 1024;

/** Compares what an overlay holds with its parent, a batch at a time, and yields the differences. */
export async function* exportDirtyBlocks(options: DirtyBlocksOptions): AsyncGenerator<DirtyBlock> {
  const { states, parent } = options;
  const { blockSizeBytes, sizeBytes } = parent;
  const batchBlocks = Math.max(1, Math.floor(batchBytes / blockSizeBytes));
  const below = Buffer.alloc(batchBlocks * blockSizeBytes);
  const own = Buffer.alloc(batchBlocks * blockSizeBytes);
  for (const run of states.heldRuns()) {
    for (let start = run.startBlock; start < run.endBlock; start += batchBlocks) {
      options.signal?.throwIfAborted();
      const offsetBytes = start * blockSizeBytes;
      const end = Math.min(start + batchBlocks, run.endBlock);
      const lengthBytes = Math.min(end * blockSizeBytes, sizeBytes) - offsetBytes;
      const ours = own.subarray(0, lengthBytes);
      const theirs = below.subarray(0, lengthBytes);
      if (run.state === "zero") ours.fill(0);
      else mustBeWhole(await options.readData(ours, offsetBytes), lengthBytes);
      mustBeWhole(await parent.read(theirs, offsetBytes, options.signal), lengthBytes);
      yield* differences({ ours, theirs, blockSizeBytes, firstBlock: start });
    }
  }
}

function* differences(batch: {
  readonly ours: Buffer;
  readonly theirs: Buffer;
  readonly blockSizeBytes: number;
  readonly firstBlock: number;
}): Generator<DirtyBlock> {
  let blockIndex = batch.firstBlock;
  for (let offset = 0; offset < batch.ours.length; offset += batch.blockSizeBytes) {
    const data = batch.ours.subarray(offset, offset + batch.blockSizeBytes);
    if (!data.equals(batch.theirs.subarray(offset, offset + batch.blockSizeBytes))) {
      yield isZero(data) ? { blockIndex, zero: true } : { blockIndex, data };
    }
    blockIndex += 1;
  }
}

function mustBeWhole(count: number, lengthBytes: number): void {
  if (count === lengthBytes) return;
  throw new KeyframeError("damaged", `${lengthBytes - count} bytes of the exported blocks are missing`);
}
