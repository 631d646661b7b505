import { assert } from "../../base/assert.ts";

/** In the place of a layer: the run reads as zeros. */
export const zeroLayer = 0xffff_ffff;

/** Consecutive blocks of an image whose bytes lie in the same order in one layer, or are zeros. */
export interface BlockRun {
  readonly startBlock: number;
  readonly blockCount: number;
  /** Index into the table of layers that goes with the runs, or `zeroLayer`. */
  readonly layer: number;
  /** Where the run starts among the blocks that the layer holds; 0 for zeros. */
  readonly packedBlock: number;
}

/** Runs that cover an image, as columns: run `i` ends where run `i + 1` starts, the last at `blockCount`. */
export interface ExtentMap {
  readonly blockCount: number;
  readonly starts: Uint32Array;
  readonly layers: Uint32Array;
  readonly packed: Uint32Array;
}

/**
 * Joins neighbours that are one run: same layer and contiguous there, or both zeros. Runs of the same layer that are
 * not contiguous in storage stay apart. The input is ascending and is not changed; empty runs vanish.
 */
export function normaliseRuns(runs: Iterable<BlockRun>): BlockRun[] {
  const joined: BlockRun[] = [];
  for (const run of runs) appendRun(joined, run);
  return joined;
}

/** `normaliseRuns` one run at a time. */
export function appendRun(runs: BlockRun[], run: BlockRun): void {
  if (run.blockCount === 0) return;
  const last = runs.at(-1);
  if (last !== undefined && continues(last, run)) {
    runs[runs.length - 1] = { ...last, blockCount: last.blockCount + run.blockCount };
  } else runs.push(run);
}

function continues(last: BlockRun, next: BlockRun): boolean {
  if (last.startBlock + last.blockCount !== next.startBlock || last.layer !== next.layer) return false;
  return last.layer === zeroLayer || last.packedBlock + last.blockCount === next.packedBlock;
}

/**
 * What reads as `diff` where that is defined and as `parent` elsewhere, normalised. Both are ascending; `parent`
 * covers the image, `diff` may have gaps and lies inside it.
 */
export function mergeRuns(parent: Iterable<BlockRun>, diff: readonly BlockRun[]): BlockRun[] {
  const merged: BlockRun[] = [];
  let next = 0;
  for (const base of parent) {
    const end = base.startBlock + base.blockCount;
    let position = base.startBlock;
    while (position < end) {
      const over = diff[next];
      if (over === undefined || over.startBlock >= end) {
        appendRun(merged, sliceRun(base, position, end));
        break;
      }
      const overEnd = over.startBlock + over.blockCount;
      if (over.startBlock > position) appendRun(merged, sliceRun(base, position, over.startBlock));
      // a diff run that began in an earlier base run is cut: its first part has been emitted
      if (overEnd > position)
        appendRun(merged, sliceRun(over, Math.max(over.startBlock, position), Math.min(overEnd, end)));
      position = Math.max(position, Math.min(overEnd, end));
      if (overEnd <= end) next += 1;
      else break;
    }
  }
  return merged;
}

/** The part of a run between two blocks of the image. */
function sliceRun(run: BlockRun, startBlock: number, endBlock: number): BlockRun {
  return {
    startBlock,
    blockCount: endBlock - startBlock,
    layer: run.layer,
    packedBlock: run.layer === zeroLayer ? 0 : run.packedBlock + (startBlock - run.startBlock),
  };
}

/** Columns of runs that cover the image from its first block to its last without a gap. */
export function toExtentMap(runs: readonly BlockRun[], blockCount: number): ExtentMap {
  const starts = new Uint32Array(runs.length);
  const layers = new Uint32Array(runs.length);
  const packed = new Uint32Array(runs.length);
  let expected = 0;
  runs.forEach((run, index) => {
    assert(run.startBlock === expected, `a map has a gap or overlap at block ${expected}`);
    expected += run.blockCount;
    starts[index] = run.startBlock;
    layers[index] = run.layer;
    packed[index] = run.packedBlock;
  });
  assert(expected === blockCount, `a map ends at block ${expected} of ${blockCount}`);
  return { blockCount, starts, layers, packed };
}

/** The index of the run that holds a block, by binary search; the block is inside the image. */
export function findExtent(map: ExtentMap, block: number): number {
  let low = 0;
  let high = map.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((map.starts[middle] as number) <= block) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The runs of the blocks from `startBlock` to `endBlock` (not included), the outer ones cut to fit. */
export function* runsBetween(map: ExtentMap, startBlock: number, endBlock: number): Generator<BlockRun> {
  if (startBlock >= endBlock) return;
  for (let index = findExtent(map, startBlock); index < map.starts.length; index += 1) {
    const start = map.starts[index] as number;
    if (start >= endBlock) return;
    const end = Math.min(endBlock, map.starts[index + 1] ?? map.blockCount);
    const run = {
      startBlock: start,
      blockCount: end - start,
      layer: map.layers[index] as number,
      packedBlock: map.packed[index] as number,
    };
    yield start < startBlock ? sliceRun(run, startBlock, end) : run;
  }
}

/** All runs of the map. */
export function runsOf(map: ExtentMap): Generator<BlockRun> {
  return runsBetween(map, 0, map.blockCount);
}
