import { isKeyframeError, KeyframeError } from "../../../base/errors.ts";
import { verifyFrame } from "../../formats/frame-codec.ts";
import {
  type LayerFrame,
  type LayerIndex,
  layerHeaderBytes,
  layerIdOf,
  parseLayerHeader,
  parseLayerIndex,
} from "../../formats/layer-format.ts";
import type { LayerRef } from "../../formats/manifest-format.ts";
import { layerKey } from "../../object-keys.ts";
import { collect, exactly } from "../../stores/interface/object-content.ts";
import type { ObjectStore } from "../../stores/interface/object-store.ts";
import type { ByteRange } from "../../streamed-image.ts";

/** The verified index of a layer: the id covers the header, the header the index, the index every frame. */
export async function openLayer(store: ObjectStore, ref: LayerRef, signal: AbortSignal): Promise<LayerIndex> {
  return verifiedTwice(store, layerKey(ref.id), async () => {
    const headerBytes = await readExactly(store, ref, {
      range: { offsetBytes: 0, lengthBytes: layerHeaderBytes },
      signal,
    });
    if (layerIdOf(headerBytes) !== ref.id) {
      throw new KeyframeError(
        "damaged",
        `${describeLayer(store, ref)} is damaged: its header does not have its id as digest`,
      );
    }
    const header = parseLayerHeader(headerBytes);
    if (header.objectBytes !== ref.objectBytes || header.packedBlocks !== ref.packedBlocks) {
      throw new KeyframeError("damaged", `${describeLayer(store, ref)} is not as its manifest says`);
    }
    const range = { offsetBytes: header.indexOffsetBytes, lengthBytes: header.indexBytes };
    return parseLayerIndex(header, await readExactly(store, ref, { range, signal }));
  });
}

/** Consecutive stored frames, at most one request. */
export interface StoredRun extends ByteRange {
  /** In stored order, without gaps. */
  readonly frames: readonly LayerFrame[];
}

/** The verified stored bytes of frames that lie one after the other, by one ranged request. */
export async function* readStoredFrames(
  store: ObjectStore,
  ref: LayerRef,
  run: StoredRun & { readonly signal: AbortSignal },
): AsyncGenerator<{ readonly frame: LayerFrame; readonly stored: Buffer }> {
  const { offsetBytes, lengthBytes, signal } = run;
  const pieces = readRange(store, ref, { range: { offsetBytes, lengthBytes }, signal });
  let next = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const piece of pieces) {
    let rest = piece;
    for (let frame = run.frames[next]; frame !== undefined; frame = run.frames[next]) {
      const missing = frame.storedBytes - heldBytes;
      if (rest.length < missing) break;
      held.push(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      const stored = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held);
      held = [];
      heldBytes = 0;
      next += 1;
      yield { frame, stored: await trusted(store, ref, { frame, stored, signal }) };
    }
    // the piece is the store's again when the next is taken
    if (rest.length > 0) held.push(Buffer.from(rest));
    heldBytes += rest.length;
  }
}

/** The bytes if they have their digest; else those of a second, fresh read, which must. */
async function trusted(
  store: ObjectStore,
  ref: LayerRef,
  read: { readonly frame: LayerFrame; readonly stored: Buffer; readonly signal: AbortSignal },
): Promise<Buffer> {
  const { frame } = read;
  const range = { offsetBytes: frame.storedOffsetBytes, lengthBytes: frame.storedBytes };
  let stored: Buffer | undefined = read.stored;
  return verifiedTwice(store, layerKey(ref.id), async () => {
    stored ??= await readExactly(store, ref, { range, signal: read.signal });
    const bytes = stored;
    stored = undefined;
    verifyFrame(frame, bytes, describeLayer(store, ref));
    return bytes;
  });
}

/** Bytes can be damaged on the way or in a local copy: what fails its check is read once more past all copies. */
export async function verifiedTwice<T>(store: ObjectStore, key: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isKeyframeError(error, "damaged")) throw error;
    store.forget?.(key);
    return await read();
  }
}

interface RangeRequest {
  readonly range: ByteRange;
  readonly signal: AbortSignal;
}

async function readExactly(store: ObjectStore, ref: LayerRef, request: RangeRequest): Promise<Buffer> {
  return collect(readRange(store, ref, request), request.range.lengthBytes);
}

async function* readRange(
  store: ObjectStore,
  ref: LayerRef,
  { range, signal }: RangeRequest,
): AsyncGenerator<Buffer> {
  try {
    yield* exactly(store.read(layerKey(ref.id), range, signal), range.lengthBytes, describeLayer(store, ref));
  } catch (error) {
    // a range that the layer's own index names is outside the object: the object was cut
    if (!isKeyframeError(error, "invalid-input")) throw error;
    throw new KeyframeError("damaged", `${describeLayer(store, ref)} is shorter than it says`, {
      cause: error,
    });
  }
}

function describeLayer(store: ObjectStore, ref: LayerRef): string {
  return `layer ${ref.id.slice(0, 16)} in ${store.location}`;
}
