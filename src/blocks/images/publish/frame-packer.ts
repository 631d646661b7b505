import { assert } from "../../../base/assert.ts";
import { frameTargetBytes } from "../../limits.ts";

/** Gathers blocks into frames; `emit` gets each frame's bytes, which it must have used when it answers. */
export interface FramePacker {
  /** Whole blocks that start at `startBlock` of the image. */
  add(startBlock: number, data: Buffer, emit: (raw: Buffer) => Promise<void> | void): Promise<void>;
  /** The last frame. */
  end(emit: (raw: Buffer) => Promise<void> | void): Promise<void>;
}

/**
 * Where frames are cut: the image is seen as windows of `frameTargetBytes`. Blocks of one window stay in one frame. A
 * frame ends with its window once it is at least half full, else it takes in the next window that has blocks. So scattered
 * blocks share frames, and a window that is wholly written is a frame by itself wherever it lies: equal windows
 * make equal frames.
 */
export function createFramePacker(blockSizeBytes: number): FramePacker {
  const windowBlocks = Math.max(1, frameTargetBytes / blockSizeBytes);
  const halfBlocks = Math.ceil(windowBlocks / 2);
  // less than half of a frame and then one whole window
  const frame = Buffer.alloc((halfBlocks - 1 + windowBlocks) * blockSizeBytes);
  let filledBlocks = 0;
  let window = -1;

  async function flush(emit: (raw: Buffer) => Promise<void> | void): Promise<void> {
    if (filledBlocks === 0) return;
    await emit(frame.subarray(0, filledBlocks * blockSizeBytes));
    filledBlocks = 0;
  }

  return {
    async add(startBlock, data, emit) {
      const endBlock = startBlock + data.length / blockSizeBytes;
      let block = startBlock;
      while (block < endBlock) {
        const itsWindow = Math.floor(block / windowBlocks);
        if (itsWindow !== window && filledBlocks >= halfBlocks) await flush(emit);
        window = itsWindow;
        const next = Math.min(endBlock, (itsWindow + 1) * windowBlocks);
        const from = (block - startBlock) * blockSizeBytes;
        const copied = data.copy(
          frame,
          filledBlocks * blockSizeBytes,
          from,
          from + (next - block) * blockSizeBytes,
        );
        assert(copied === (next - block) * blockSizeBytes, "a frame grew over its window");
        filledBlocks += next - block;
        block = next;
      }
    },
    end: flush,
  };
}
