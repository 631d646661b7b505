import { createBlockBitset } from "../block-bitset.ts";
import type { BlockRange } from "../cache/chunk-progress.ts";
import type { StateRun } from "./map.ts";

export type BlockState = StateRun["state"] | "parent";

/** Which blocks an overlay holds, as two bitsets, and which of that is not on the disk yet, as a third. */
export interface BlockStates {
  stateOf(block: number): BlockState;
  /** The run of equal state that starts at `startBlock`, cut at `endBlock`. */
  runAt(startBlock: number, endBlock: number): { readonly state: BlockState; readonly endBlock: number };
  set(run: BlockRange, state: StateRun["state"]): void;
  /** All that the overlay holds. */
  heldRuns(): Generator<StateRun>;
  /** Runs that changed since the last call, which forgets them. */
  takeUnsaved(): StateRun[];
  /** Remembers runs that could not be saved after all. */
  putBackUnsaved(runs: readonly StateRun[]): void;
  countHeld(): number;
}

export function createBlockStates(sizeBlocks: number, runs: readonly StateRun[]): BlockStates {
  const data = createBlockBitset(sizeBlocks);
  const zero = createBlockBitset(sizeBlocks);
  const unsaved = createBlockBitset(sizeBlocks);
  // bounds of what is unsaved, so that a flush of little does not scan all
  let unsavedStart = sizeBlocks;
  let unsavedEnd = 0;

  const stateOf = (block: number): BlockState =>
    data.has(block) ? "data" : zero.has(block) ? "zero" : "parent";

  function runAt(start: number, limit: number): { state: BlockState; endBlock: number } {
    const state = stateOf(start);
    const endBlock =
      state === "data"
        ? data.nextClear(start, limit)
        : state === "zero"
          ? zero.nextClear(start, limit)
          : zero.nextSet(start, data.nextSet(start, limit));
    return { state, endBlock };
  }

  function apply({ startBlock, endBlock }: BlockRange, state: StateRun["state"]): void {
    const [on, off] = state === "data" ? [data, zero] : [zero, data];
    on.set(startBlock, endBlock);
    off.clear(startBlock, endBlock);
  }

  function markUnsaved({ startBlock, endBlock }: BlockRange): void {
    unsaved.set(startBlock, endBlock);
    unsavedStart = Math.min(unsavedStart, startBlock);
    unsavedEnd = Math.max(unsavedEnd, endBlock);
  }

  function* held(from: number, to: number): Generator<StateRun> {
    let block = from;
    while (block < to) {
      const { state, endBlock } = runAt(block, to);
      if (state !== "parent") yield { startBlock: block, endBlock, state };
      block = endBlock;
    }
  }

  for (const run of runs) apply(run, run.state);

  return {
    stateOf,
    runAt,
    set(run, state) {
      const already = state === "data" ? data : zero;
      if (already.hasAll(run.startBlock, run.endBlock)) return;
      apply(run, state);
      markUnsaved(run);
    },
    heldRuns: () => held(0, sizeBlocks),
    takeUnsaved() {
      const taken: StateRun[] = [];
      let block = unsaved.nextSet(unsavedStart, unsavedEnd);
      while (block < unsavedEnd) {
        const end = unsaved.nextClear(block, unsavedEnd);
        taken.push(...held(block, end));
        block = unsaved.nextSet(end, unsavedEnd);
      }
      if (unsavedStart < unsavedEnd) unsaved.clear(unsavedStart, unsavedEnd);
      unsavedStart = sizeBlocks;
      unsavedEnd = 0;
      return taken;
    },
    putBackUnsaved(runs) {
      for (const run of runs) markUnsaved(run);
    },
    countHeld: () => data.countSet() + zero.countSet(),
  };
}
