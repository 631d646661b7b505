import { encodeLayerHeader, encodeLayerIndex, type LayerIndex } from "../../formats/layer-format.ts";
import type { LayerRef } from "../../formats/manifest-format.ts";
import type { ObjectContent, ObjectStore } from "../../stores/interface/object-store.ts";
import type { ByteRange } from "../../streamed-image.ts";
import { openLayer, readStoredFrames } from "./open-layer.ts";
import { storedRuns } from "./stored-runs.ts";

/** A layer of one store as something to put into another: every byte is verified before it is handed on. */
export async function verifiedLayerContent(
  store: ObjectStore,
  ref: LayerRef,
  signal: AbortSignal,
): Promise<ObjectContent> {
  const index = await openLayer(store, ref, signal);
  return {
    sizeBytes: ref.objectBytes,
    open: (range, openSignal) => verifiedBytes(store, { ref, index, range, signal: openSignal }),
  };
}

interface VerifiedRead {
  readonly ref: LayerRef;
  readonly index: LayerIndex;
  readonly range: ByteRange;
  readonly signal: AbortSignal;
}

async function* verifiedBytes(store: ObjectStore, read: VerifiedRead): AsyncGenerator<Buffer> {
  const { ref, index, range, signal } = read;
  const end = range.offsetBytes + range.lengthBytes;
  const cut = (bytes: Buffer, offsetBytes: number) =>
    bytes.subarray(Math.max(0, range.offsetBytes - offsetBytes), Math.max(0, end - offsetBytes));
  const part = (bytes: Buffer, offsetBytes: number) => {
    const isOutside = offsetBytes >= end || offsetBytes + bytes.length <= range.offsetBytes;
    return isOutside ? undefined : cut(bytes, offsetBytes);
  };
  const header = part(encodeLayerHeader(index.header), 0);
  if (header !== undefined) yield header;
  for (const run of storedRuns(index)) {
    const frames = run.frames.filter(
      (frame) =>
        frame.storedOffsetBytes < end && frame.storedOffsetBytes + frame.storedBytes > range.offsetBytes,
    );
    const first = frames[0];
    if (first === undefined) continue;
    const lengthBytes = frames.reduce((sum, frame) => sum + frame.storedBytes, 0);
    const wanted = { offsetBytes: first.storedOffsetBytes, lengthBytes, frames, signal };
    for await (const { frame, stored } of readStoredFrames(store, ref, wanted)) {
      yield cut(stored, frame.storedOffsetBytes);
    }
  }
  const indexBytes = part(encodeLayerIndex(index.frames, index.runs), index.header.indexOffsetBytes);
  if (indexBytes !== undefined) yield indexBytes;
}
