import { type ExtentMap, runsBetween, zeroLayer } from "../../formats/extent-map.ts";
import { findFrame, type LayerFrame, type LayerIndex } from "../../formats/layer-format.ts";
import type { ByteRange } from "../../streamed-image.ts";
import type { StoredRun } from "./open-layer.ts";

/** Bytes of a range, in order: zeros, or a part of a frame (raw bytes) by its place in the fetch. */
export type PlannedPiece =
  | { readonly kind: "zero"; readonly offsetBytes: number; readonly lengthBytes: number }
  | {
      readonly kind: "frame";
      readonly frame: number;
      readonly startBytes: number;
      readonly endBytes: number;
    };

/** One request and what its frames are used for; without a request if there are only zeros. */
export interface PlannedFetch {
  readonly layer: number;
  readonly run: StoredRun | undefined;
  readonly pieces: readonly PlannedPiece[];
}

export interface FetchLimits {
  /** Stored bytes of one request; a single frame may be longer. */
  readonly maxRequestBytes: number;
  /** Raw bytes of the frames of one request. */
  readonly maxRawBytes: number;
}

export interface PlannedImage {
  readonly map: ExtentMap;
  readonly blockSizeBytes: number;
  indexOf(layer: number): LayerIndex;
}

/**
 * The requests for a range, in the order of its bytes. Frames that follow one another in storage become one request,
 * across zeros too; a frame that is used again nearby is fetched once.
 */
export function* planFetches(
  image: PlannedImage,
  range: ByteRange,
  limits: FetchLimits,
): Generator<PlannedFetch> {
  const end = range.offsetBytes + range.lengthBytes;
  const { blockSizeBytes } = image;
  const firstBlock = Math.floor(range.offsetBytes / blockSizeBytes);
  let group = startGroup(zeroLayer);
  for (const run of runsBetween(image.map, firstBlock, Math.ceil(end / blockSizeBytes))) {
    const runStart = run.startBlock * blockSizeBytes;
    const from = Math.max(range.offsetBytes, runStart);
    const to = Math.min(end, runStart + run.blockCount * blockSizeBytes);
    if (run.layer === zeroLayer) {
      group.pieces.push({ kind: "zero", offsetBytes: from, lengthBytes: to - from });
      continue;
    }
    const packedOffset = run.packedBlock * blockSizeBytes - runStart;
    for (const use of framesBetween(image.indexOf(run.layer), from + packedOffset, to + packedOffset)) {
      if (!tryAdd(group, { layer: run.layer, ...use }, limits)) {
        yield finishGroup(group);
        group = startGroup(run.layer);
        tryAdd(group, { layer: run.layer, ...use }, limits);
      }
    }
  }
  if (group.pieces.length > 0) yield finishGroup(group);
}

interface FrameUse {
  readonly frame: LayerFrame;
  readonly rawBytes: number;
  readonly startBytes: number;
  readonly endBytes: number;
}

/** The parts of frames that hold the packed bytes `from` to `to`. */
function* framesBetween(index: LayerIndex, from: number, to: number): Generator<FrameUse> {
  const { blockSizeBytes } = index.header;
  let number = findFrame(index, Math.floor(from / blockSizeBytes));
  for (let at = from; at < to; number += 1) {
    const frame = index.frames[number];
    if (frame === undefined) return;
    const frameStart = frame.packedBlock * blockSizeBytes;
    const rawBytes = frame.blockCount * blockSizeBytes;
    const endBytes = Math.min(to - frameStart, rawBytes);
    yield { frame, rawBytes, startBytes: at - frameStart, endBytes };
    at = frameStart + endBytes;
  }
}

interface Group {
  layer: number;
  readonly frames: LayerFrame[];
  readonly byOffset: Map<number, number>;
  storedBytes: number;
  rawBytes: number;
  readonly pieces: PlannedPiece[];
}

function startGroup(layer: number): Group {
  return { layer, frames: [], byOffset: new Map(), storedBytes: 0, rawBytes: 0, pieces: [] };
}

function tryAdd(group: Group, use: FrameUse & { readonly layer: number }, limits: FetchLimits): boolean {
  const { frame, startBytes, endBytes } = use;
  if (group.frames.length === 0) group.layer = use.layer;
  if (group.layer !== use.layer) return false;
  let place = group.byOffset.get(frame.storedOffsetBytes);
  if (place === undefined) {
    const first = group.frames[0];
    if (first !== undefined) {
      const follows = first.storedOffsetBytes + group.storedBytes === frame.storedOffsetBytes;
      const fits =
        group.storedBytes + frame.storedBytes <= limits.maxRequestBytes &&
        group.rawBytes + use.rawBytes <= limits.maxRawBytes;
      if (!follows || !fits) return false;
    }
    place = group.frames.push(frame) - 1;
    group.byOffset.set(frame.storedOffsetBytes, place);
    group.storedBytes += frame.storedBytes;
    group.rawBytes += use.rawBytes;
  }
  group.pieces.push({ kind: "frame", frame: place, startBytes, endBytes });
  return true;
}

function finishGroup(group: Group): PlannedFetch {
  const first = group.frames[0];
  const run =
    first === undefined
      ? undefined
      : { offsetBytes: first.storedOffsetBytes, lengthBytes: group.storedBytes, frames: group.frames };
  return { layer: group.layer, run, pieces: group.pieces };
}
