import type { Hunk } from "../../git/objects/file-patch.ts";

/** Lines that one commit added to one file for one session; their fates are filled in as later commits are applied. */
export interface TrackedLines {
  readonly session: string;
  readonly count: number;
  /** By offset, from `fate`. */
  readonly fates: Uint8Array;
}

/** Bits of what became of a line. */
const fate = {
  /** A later commit put somebody else's line in its place. */
  overridden: 1,
  /** The end of the range still has the line. */
  present: 2,
};

export function trackLines(session: string, count: number): TrackedLines {
  return { session, count, fates: new Uint8Array(count) };
}

/** A stretch of a file that holds tracked lines `offset`, `offset + 1`, ... */
export interface TrackedRun {
  readonly first: number;
  readonly count: number;
  readonly lines: TrackedLines;
  readonly offset: number;
}

/** Sorted by `first`, disjoint. */
export type TrackedRuns = readonly TrackedRun[];

/** Tracked lines that new ones stand in the place of, one by one. */
export interface ReplacedRun {
  readonly lines: TrackedLines;
  readonly offset: number;
  readonly newFirst: number;
  readonly count: number;
}

export interface MappedRuns {
  readonly kept: TrackedRuns;
  readonly replaced: readonly ReplacedRun[];
}

/**
 * Tracked lines after a change. Within a hunk the n-th old line is taken to be replaced by the n-th new one; where there are
 * fewer new lines, nothing stands in the place of the rest.
 */
export function mapThroughHunks(runs: TrackedRuns, hunks: readonly Hunk[]): MappedRuns {
  if (runs.length === 0 || hunks.length === 0) return { kept: runs, replaced: [] };
  const kept: TrackedRun[] = [];
  const replaced: ReplacedRun[] = [];
  let next = 0;
  let shift = 0;
  for (const run of runs) {
    let first = run.first;
    const last = run.first + run.count - 1;
    for (let hunk = hunks[next]; hunk !== undefined; hunk = hunks[next]) {
      // an insertion stands after its old line
      const oldFirst = hunk.oldCount === 0 ? hunk.oldStart + 1 : hunk.oldStart;
      if (oldFirst > last) break;
      const oldLast = oldFirst + hunk.oldCount - 1;
      keepPart(kept, run, { first, last: Math.min(last, oldFirst - 1), shift });
      const from = Math.max(first, oldFirst);
      const count = Math.min(last, oldLast, oldFirst + hunk.newCount - 1) - from + 1;
      if (count > 0) {
        const offset = run.offset + from - run.first;
        replaced.push({ lines: run.lines, offset, newFirst: hunk.newStart + from - oldFirst, count });
      }
      first = Math.max(from, oldLast + 1);
      // a hunk that reaches past this run may touch the next one too
      if (oldLast > last) break;
      shift += hunk.newCount - hunk.oldCount;
      next += 1;
    }
    keepPart(kept, run, { first, last, shift });
  }
  return { kept, replaced };
}

function keepPart(
  kept: TrackedRun[],
  run: TrackedRun,
  { first, last, shift }: { readonly first: number; readonly last: number; readonly shift: number },
): void {
  const count = last - first + 1;
  if (count <= 0) return;
  if (count === run.count && shift === 0) kept.push(run);
  else kept.push({ first: first + shift, count, lines: run.lines, offset: run.offset + first - run.first });
}

/** Both sets of runs, which share no line. */
export function uniteRuns(a: TrackedRuns, b: TrackedRuns): TrackedRuns {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const united: TrackedRun[] = [];
  let next = 0;
  for (const run of a) {
    for (let other = b[next]; other !== undefined && other.first < run.first; other = b[next]) {
      united.push(other);
      next += 1;
    }
    united.push(run);
  }
  return next === 0 ? united.concat(b) : united.concat(b.slice(next));
}

/** The parts of runs that lie in sorted, disjoint ranges of lines. */
export function clipTracked(
  runs: TrackedRuns,
  ranges: readonly { readonly first: number; readonly last: number }[],
): TrackedRuns {
  return runs.flatMap((run) =>
    ranges.flatMap((range) => {
      const first = Math.max(run.first, range.first);
      const last = Math.min(run.first + run.count - 1, range.last);
      return first > last
        ? []
        : [{ first, count: last - first + 1, lines: run.lines, offset: run.offset + first - run.first }];
    }),
  );
}

/** Marks the lines of these runs as present at the end. */
export function markPresent(runs: TrackedRuns): void {
  for (const { lines, offset, count } of runs)
    for (let at = offset; at < offset + count; at += 1)
      lines.fates[at] = (lines.fates[at] ?? 0) | fate.present;
}

/** Marks lines as replaced by somebody else's. */
export function markReplaced({ fates }: TrackedLines, offset: number, count: number): void {
  for (let at = offset; at < offset + count; at += 1) fates[at] = (fates[at] ?? 0) | fate.overridden;
}

export interface FateCounts {
  readonly present: number;
  readonly overridden: number;
}

/** A line that is present counts as present, even if one of several branches had replaced it. */
export function countFates(lines: TrackedLines): FateCounts {
  let present = 0;
  let overridden = 0;
  for (const bits of lines.fates) {
    if ((bits & fate.present) !== 0) present += 1;
    else if (bits !== 0) overridden += 1;
  }
  return { present, overridden };
}
