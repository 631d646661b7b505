/** Lines `first` to `last`, 1-based, both included. */
export interface LineRange {
  readonly first: number;
  readonly last: number;
}

/** A range with one owner. */
export interface OwnerRun extends LineRange {
  readonly key: string;
}

/**
 * Sorted runs that share no line; touching runs of one key are joined. The compact form of "who owns which line": its
 * size depends on the number of ranges, never on the numbers in them, so `1-4294967295` costs as much as `1`.
 */
export type OwnerRuns = readonly OwnerRun[];

/** Runs of claims in order of rising priority: where several claim a line, the last wins. */
export function runsOfClaims(claims: OwnerRuns): OwnerRuns {
  if (claims.length === 0) return [];
  const [only] = claims;
  if (claims.length === 1 && only !== undefined) return [only];
  if (isSortedAndDisjoint(claims)) return joinTouching(claims);
  const middle = claims.length >> 1;
  return overlayRuns(runsOfClaims(claims.slice(0, middle)), runsOfClaims(claims.slice(middle)));
}

/** What `top` claims, and of `base` the rest. One pass over both. */
export function overlayRuns(base: OwnerRuns, top: OwnerRuns): OwnerRuns {
  if (top.length === 0) return base;
  if (base.length === 0) return top;
  const merged: OwnerRun[] = [];
  let next = 0;
  for (const run of base) {
    let first = run.first;
    for (; next < top.length; next += 1) {
      const over = top[next];
      if (over === undefined || over.first > run.last) break;
      if (over.first > first) merged.push({ first, last: over.first - 1, key: run.key });
      first = Math.max(first, over.last + 1);
      // one that reaches past this base run may cover the next one too
      if (over.last > run.last) break;
      merged.push(over);
    }
    if (first <= run.last) merged.push({ first, last: run.last, key: run.key });
  }
  for (; next < top.length; next += 1) {
    const over = top[next];
    if (over !== undefined) merged.push(over);
  }
  return joinTouching(merged.sort((a, b) => a.first - b.first));
}

/** The parts of the runs inside sorted, disjoint ranges. */
export function clipRuns(runs: OwnerRuns, ranges: readonly LineRange[]): OwnerRuns {
  const clipped: OwnerRun[] = [];
  let from = 0;
  for (const range of ranges) {
    for (let index = from; index < runs.length; index += 1) {
      const run = runs[index];
      if (run === undefined || run.first > range.last) break;
      if (run.last < range.first) {
        from = index + 1;
        continue;
      }
      clipped.push({
        first: Math.max(run.first, range.first),
        last: Math.min(run.last, range.last),
        key: run.key,
      });
    }
  }
  return clipped;
}

/** The parts of sorted, disjoint ranges that no run covers. */
export function uncoveredRanges(ranges: readonly LineRange[], runs: OwnerRuns): LineRange[] {
  const open: LineRange[] = [];
  for (const range of ranges) {
    let first = range.first;
    for (const run of runs) {
      if (run.last < first || run.first > range.last) continue;
      if (run.first > first) open.push({ first, last: run.first - 1 });
      first = run.last + 1;
    }
    if (first <= range.last) open.push({ first, last: range.last });
  }
  return open;
}

/** Key of the run that holds a line, by binary search. */
export function keyAtLine(runs: OwnerRuns, line: number): string | undefined {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const run = runs[middle];
    if (run === undefined) return undefined;
    if (line < run.first) high = middle - 1;
    else if (line > run.last) low = middle + 1;
    else return run.key;
  }
  return undefined;
}

export function countLines(ranges: readonly LineRange[]): number {
  return ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
}

function isSortedAndDisjoint(claims: OwnerRuns): boolean {
  let last = 0;
  for (const claim of claims) {
    if (claim.first <= last) return false;
    last = claim.last;
  }
  return true;
}

function joinTouching(runs: OwnerRuns): OwnerRuns {
  const joined: OwnerRun[] = [];
  for (const run of runs) {
    const previous = joined.at(-1);
    if (previous !== undefined && previous.key === run.key && previous.last + 1 === run.first) {
      joined[joined.length - 1] = { first: previous.first, last: run.last, key: run.key };
    } else joined.push(run);
  }
  return joined;
}
