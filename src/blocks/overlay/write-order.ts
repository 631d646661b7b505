import type { BlockRange } from "../cache/chunk-progress.ts";

/**
 * Lets changes of different blocks run together and puts overlapping ones one after the other, so that a write of
 * part of a block never brings back what the block held before another write.
 */
export interface WriteOrder {
  /** Runs the change at once if nothing overlaps it, else when what overlaps has ended. */
  run(blocks: BlockRange, change: () => void | Promise<void>): void | Promise<void>;
  /** Resolves when no change is under way. */
  idle(): Promise<void>;
}

interface Change extends BlockRange {
  readonly ended: Promise<unknown>;
}

export function createWriteOrder(): WriteOrder {
  const underWay = new Set<Change>();

  function overlapping(blocks: BlockRange): Promise<unknown> | undefined {
    let last: Promise<unknown> | undefined;
    for (const change of underWay) {
      if (change.startBlock < blocks.endBlock && blocks.startBlock < change.endBlock) last = change.ended;
    }
    return last;
  }

  function track(blocks: BlockRange, work: Promise<void>): Promise<void> {
    const change: Change = { ...blocks, ended: work.then(end, end) };
    function end(): void {
      underWay.delete(change);
    }
    underWay.add(change);
    return work;
  }

  async function after(blocks: BlockRange, change: () => void | Promise<void>): Promise<void> {
    for (let before = overlapping(blocks); before !== undefined; before = overlapping(blocks)) await before;
    const work = change();
    if (work !== undefined) await track(blocks, work);
  }

  return {
    run(blocks, change) {
      if (overlapping(blocks) !== undefined) return after(blocks, change);
      const work = change();
      return work === undefined ? undefined : track(blocks, work);
    },
    async idle() {
      while (underWay.size > 0) await Promise.all([...underWay].map((change) => change.ended));
    },
  };
}
