import { diff as myersDiff } from "fast-myers-diff";
import { placeChanges } from "./change-groups.ts";
import type { ContentLines } from "./content-lines.ts";
import { type EqualEnds, equalEnds } from "./equal-ends.ts";
import type { Change } from "./line-diff.ts";

/** Above this many elements on both sides together, unique common elements split the work first (patience). */
const patienceThreshold = 8000;

/**
 * The changes that turn one content into another, in order and apart from one another. Myers inside; a group that could
 * stand at several places stands where git puts it, so that "added" means the same lines in both.
 */
export function diffLines(old: ContentLines, next: ContentLines): Change[] {
  const ends = equalEnds(old, next);
  if (ends.first === old.count && ends.first === next.count) return [];
  for (let margin = firstMargin; ; margin *= 8) {
    const changes = diffWithin(old, next, { first: ends.first - margin, last: ends.last - margin });
    if (changes !== undefined) return changes;
  }
}

/**
 * The same, looking only at what lies between so many equal lines at either end; undefined if lines beyond them could
 * have had a say in where the changes stand.
 */
export function diffWithin(old: ContentLines, next: ContentLines, ends: EqualEnds): Change[] | undefined {
  const first = Math.max(ends.first, 0);
  const last = Math.max(ends.last, 0);
  const oldMiddle = old.slice(first, old.count - last);
  const nextMiddle = next.slice(first, next.count - last);
  const found = findChanges(oldMiddle.ids, nextMiddle.ids);
  const { changes, reach } = placeChanges(found, oldMiddle, nextMiddle);
  const isCutOff =
    (first > 0 && reach.linesBefore < looksAround) || (last > 0 && reach.linesAfter < looksAround);
  if (isCutOff) return undefined;
  return changes.map((change) => ({
    ...change,
    oldStart: change.oldStart + first,
    newStart: change.newStart + first,
  }));
}

/** Equal lines around the changed ones that are looked at first. */
const firstMargin = 64;

/** The place of a group depends on the lines around it: on 20 blank ones and the next on either side. */
const looksAround = 24;

/** The same of sequences that are no lines: a group that could stand at several places stands at the last. */
export function diffSequences(before: Uint32Array, after: Uint32Array): Change[] {
  return slideDown(joinAdjacent(findChanges(before, after)), before, after);
}

function findChanges(before: Uint32Array, after: Uint32Array): Change[] {
  const changes: Change[] = [];
  diffRegion(
    { before, after, changes },
    { oldStart: 0, oldEnd: before.length, newStart: 0, newEnd: after.length },
  );
  return changes;
}

interface Work {
  readonly before: Uint32Array;
  readonly after: Uint32Array;
  readonly changes: Change[];
}

interface Region {
  readonly oldStart: number;
  readonly oldEnd: number;
  readonly newStart: number;
  readonly newEnd: number;
}

function diffRegion(work: Work, region: Region): void {
  const { before, after, changes } = work;
  let { oldStart, oldEnd, newStart, newEnd } = region;
  while (oldStart < oldEnd && newStart < newEnd && before[oldStart] === after[newStart]) {
    oldStart += 1;
    newStart += 1;
  }
  while (oldStart < oldEnd && newStart < newEnd && before[oldEnd - 1] === after[newEnd - 1]) {
    oldEnd -= 1;
    newEnd -= 1;
  }
  if (oldStart === oldEnd && newStart === newEnd) return;
  if (oldStart === oldEnd || newStart === newEnd) {
    changes.push({ oldStart, oldCount: oldEnd - oldStart, newStart, newCount: newEnd - newStart });
    return;
  }
  const inner = { oldStart, oldEnd, newStart, newEnd };
  const anchors = oldEnd - oldStart + newEnd - newStart > patienceThreshold ? uniqueAnchors(work, inner) : [];
  if (anchors.length === 0) {
    diffByMyers(work, inner);
    return;
  }
  let from = { oldStart, newStart };
  for (const anchor of anchors) {
    diffRegion(work, { ...from, oldEnd: anchor.old, newEnd: anchor.new });
    from = { oldStart: anchor.old + 1, newStart: anchor.new + 1 };
  }
  diffRegion(work, { ...from, oldEnd, newEnd });
}

function diffByMyers({ before, after, changes }: Work, { oldStart, oldEnd, newStart, newEnd }: Region): void {
  const oldPart = before.subarray(oldStart, oldEnd);
  const newPart = after.subarray(newStart, newEnd);
  for (const [oldFrom, oldTo, newFrom, newTo] of myersDiff(oldPart, newPart)) {
    changes.push({
      oldStart: oldStart + oldFrom,
      oldCount: oldTo - oldFrom,
      newStart: newStart + newFrom,
      newCount: newTo - newFrom,
    });
  }
}

interface Anchor {
  readonly old: number;
  readonly new: number;
}

/** Elements that occur exactly once on both sides, as the longest chain that is in order on both. */
function uniqueAnchors({ before, after }: Work, region: Region): Anchor[] {
  const places = new Map<number, { old: number; new: number }>();
  const repeated = -2;
  const absent = -1;
  for (let index = region.oldStart; index < region.oldEnd; index += 1) {
    const element = before[index] ?? 0;
    const place = places.get(element);
    if (place === undefined) places.set(element, { old: index, new: absent });
    else place.old = repeated;
  }
  for (let index = region.newStart; index < region.newEnd; index += 1) {
    const place = places.get(after[index] ?? 0);
    if (place !== undefined) place.new = place.new === absent ? index : repeated;
  }
  const pairs = [...places.values()].filter((place) => place.old >= 0 && place.new >= 0);
  return longestIncreasing(pairs.sort((a, b) => a.old - b.old));
}

function longestIncreasing(pairs: readonly Anchor[]): Anchor[] {
  const tails: number[] = [];
  const previous = new Int32Array(pairs.length).fill(-1);
  pairs.forEach((pair, index) => {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pairs[tails[middle] ?? 0]?.new ?? 0) < pair.new) low = middle + 1;
      else high = middle;
    }
    previous[index] = low > 0 ? (tails[low - 1] ?? -1) : -1;
    tails[low] = index;
  });
  const chain: Anchor[] = [];
  for (let index = tails.at(-1) ?? -1; index >= 0; index = previous[index] ?? -1) {
    const pair = pairs[index];
    if (pair !== undefined) chain.push(pair);
  }
  return chain.reverse();
}

/** Changes that touch are one change. */
function joinAdjacent(changes: readonly Change[]): Change[] {
  const joined: Change[] = [];
  for (const change of changes) {
    const last = joined.at(-1);
    if (
      last !== undefined &&
      last.oldStart + last.oldCount === change.oldStart &&
      last.newStart + last.newCount === change.newStart
    ) {
      joined[joined.length - 1] = {
        ...last,
        oldCount: last.oldCount + change.oldCount,
        newCount: last.newCount + change.newCount,
      };
    } else joined.push(change);
  }
  return joined;
}

function slideDown(changes: readonly Change[], before: Uint32Array, after: Uint32Array): Change[] {
  const slid: Change[] = [];
  for (let index = changes.length - 1; index >= 0; index -= 1) {
    const change = changes[index];
    if (change === undefined) continue;
    const next = slid.at(-1);
    const room = (next?.newStart ?? after.length) - (change.newStart + change.newCount);
    const by = slideDistance(change, room, change.oldCount === 0 ? after : before);
    slid.push({ ...change, oldStart: change.oldStart + by, newStart: change.newStart + by });
  }
  return joinAdjacent(slid.reverse());
}

function slideDistance(change: Change, room: number, sequence: Uint32Array): number {
  if (change.oldCount !== 0 && change.newCount !== 0) return 0;
  const start = change.oldCount === 0 ? change.newStart : change.oldStart;
  const count = Math.max(change.oldCount, change.newCount);
  let by = 0;
  while (by < room && sequence[start + by] === sequence[start + count + by]) by += 1;
  return by;
}
