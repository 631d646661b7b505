import { KeyframeError } from "../../../base/errors.ts";
import { fault } from "../../../system/fault.ts";
import type { SparseFile } from "../../../system/files/sparse-file.ts";
import { appendRun, type BlockRun, zeroLayer } from "../../formats/extent-map.ts";
import { type EncodedFrame, encodeFrame } from "../../formats/frame-codec.ts";
import {
  checkBlockSize,
  encodeLayerHeader,
  encodeLayerIndex,
  type LayerFrame,
  layerHeaderBytes,
  layerIdOf,
} from "../../formats/layer-format.ts";
import type { LayerRef } from "../../formats/manifest-format.ts";
import { sha256Bytes } from "../../formats/sha256.ts";
import type { Zstd } from "../../formats/zstd.ts";
import { maxFrameBytes, maxFramesPerLayer, maxRememberedFrames, maxRunsPerLayer } from "../../limits.ts";
import { layerKey } from "../../object-keys.ts";
import { fileContent } from "../../stores/interface/object-content.ts";
import { createScratchFile, type ImageRepository } from "../repository/image-repository.ts";
import { type BlockWrite, classifyBlocks } from "./block-writes.ts";
import { createFramePacker } from "./frame-packer.ts";

export interface WriteLayerOptions {
  readonly blockSizeBytes: number;
  readonly signal: AbortSignal;
  /** Bytes of blocks taken in so far, zeros not counted. */
  readonly onProgress?: ((rawBytes: number) => void) | undefined;
}

export interface WrittenLayer {
  /** Undefined if no block had bytes other than zeros: then there is nothing to store. */
  readonly layer: LayerRef | undefined;
  /** The blocks that were written; `layer` of a run is 0 for the new layer, or `zeroLayer`. */
  readonly runs: readonly BlockRun[];
  /** Bytes of blocks before compression. */
  readonly rawBytes: number;
  /** Bytes of frames that were not stored because an equal frame was. */
  readonly sharedBytes: number;
}

/**
 * Stores blocks as a new layer. Holds one frame and the index in memory, whatever the number of blocks; the layer is put together in a
 * scratch file and then put whole, so a crash leaves no layer or all of it.
 */
export async function writeLayer(
  repository: ImageRepository,
  writes: AsyncIterable<BlockWrite> | Iterable<BlockWrite>,
  options: WriteLayerOptions,
): Promise<WrittenLayer> {
  const { blockSizeBytes, signal } = options;
  checkBlockSize(blockSizeBytes);
  const file = createScratchFile(repository);
  const body = createLayerBody(file, repository.zstd);
  try {
    const packer = createFramePacker(blockSizeBytes);
    const runs: BlockRun[] = [];
    let packedBlock = 0;
    const emit = (raw: Buffer) => body.append(raw, raw.length / blockSizeBytes);
    for await (const { startBlock, blockCount, data } of classifyBlocks(writes, blockSizeBytes)) {
      signal.throwIfAborted();
      const isZero = data === undefined;
      appendRun(runs, {
        startBlock,
        blockCount,
        layer: isZero ? zeroLayer : 0,
        packedBlock: isZero ? 0 : packedBlock,
      });
      if (data === undefined) continue;
      packedBlock += blockCount;
      await packer.add(startBlock, data, emit);
      options.onProgress?.(packedBlock * blockSizeBytes);
    }
    await packer.end(emit);
    if (runs.length > maxRunsPerLayer) throw tooLarge("runs");
    const rawBytes = packedBlock * blockSizeBytes;
    if (packedBlock === 0) return { layer: undefined, runs, rawBytes, sharedBytes: 0 };
    const { id, objectBytes } = await body.finish(runs, { blockSizeBytes, packedBlocks: packedBlock });
    fault("write-layer:before-put");
    const content = fileContent(file, { disposable: true });
    await repository.store.put(layerKey(id), content, { signal });
    fault("write-layer:after-put");
    return {
      layer: { id, objectBytes, packedBlocks: packedBlock },
      runs,
      rawBytes,
      sharedBytes: body.sharedBytes(),
    };
  } finally {
    await body.settled();
    await file.close();
    repository.files.remove(file.path);
  }
}

const writeBehindBytes = 1024 * 1024;
const pendingCapacity = writeBehindBytes + maxFrameBytes;

/** Frames one after the other in a file, equal ones once, then the index and at last the header. */
function createLayerBody(file: SparseFile, zstd: Zstd) {
  const frames: LayerFrame[] = [];
  const stored = new Map<string, LayerFrame>();
  // two that take turns, instead of new memory for every frame: collecting that lags far behind a writer
  let [pending, spare] = [Buffer.allocUnsafe(pendingCapacity), Buffer.allocUnsafe(pendingCapacity)];
  let pendingBytes = 0;
  let writing: Promise<void> = Promise.resolve();
  let writtenEnd = layerHeaderBytes;
  let packedBlock = 0;
  let sharedBytes = 0;

  /** One write is under way while the next frames are compressed; its failure shows at the next. */
  async function writePending(): Promise<void> {
    await writing;
    if (pendingBytes === 0) return;
    writing = file.write(pending.subarray(0, pendingBytes), writtenEnd);
    writing.catch(() => undefined);
    [pending, spare] = [spare, pending];
    writtenEnd += pendingBytes;
    pendingBytes = 0;
  }

  function place(encoded: EncodedFrame, blockCount: number): LayerFrame {
    const key = encoded.digest.toString("latin1");
    const equal = stored.get(key);
    if (equal !== undefined && equal.blockCount === blockCount && equal.codec === encoded.codec) {
      sharedBytes += encoded.stored.length;
      return { ...equal, packedBlock };
    }
    const frame: LayerFrame = {
      packedBlock,
      blockCount,
      storedOffsetBytes: writtenEnd + pendingBytes,
      storedBytes: encoded.stored.length,
      codec: encoded.codec,
      digest: encoded.digest,
    };
    if (stored.size < maxRememberedFrames) stored.set(key, frame);
    pendingBytes += encoded.stored.copy(pending, pendingBytes);
    return frame;
  }

  return {
    sharedBytes: () => sharedBytes,
    /** Nothing is being written any more. */
    settled: () => writing.catch(() => undefined),
    async append(raw: Buffer, blockCount: number): Promise<void> {
      if (frames.length >= maxFramesPerLayer) throw tooLarge("frames");
      frames.push(place(encodeFrame(zstd, raw), blockCount));
      packedBlock += blockCount;
      if (pendingBytes >= writeBehindBytes) await writePending();
      fault("write-layer:after-frame");
    },
    async finish(
      runs: readonly BlockRun[],
      sizes: { readonly blockSizeBytes: number; readonly packedBlocks: number },
    ) {
      await writePending();
      await writing;
      const index = encodeLayerIndex(frames, runs);
      const objectBytes = writtenEnd + index.length;
      const header = encodeLayerHeader({
        ...sizes,
        objectBytes,
        indexOffsetBytes: writtenEnd,
        indexBytes: index.length,
        frameCount: frames.length,
        runCount: runs.length,
        indexDigest: sha256Bytes(index),
      });
      await file.write(index, writtenEnd);
      await file.write(header, 0);
      return { id: layerIdOf(header), objectBytes };
    },
  };
}

function tooLarge(what: string): KeyframeError {
  return new KeyframeError("too-large", `the layer would have too many ${what}`, {
    hint: "use a larger block size",
  });
}
