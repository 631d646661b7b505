import type { ContentLines } from "./content-lines.ts";
import type { Change } from "./line-diff.ts";
import { bestSplit } from "./split-score.ts";

/**
 * Places changes where git's diff and blame place them. A group of changed lines between equal ones can often stand at
 * several places: it joins a group that it touches, lines up with a change on the other side if it can, and else stands
 * where indentation and blank lines make the best cut (git's indent heuristic, on by default since 2.14).
 */
export function placeChanges(
  changes: readonly Change[],
  old: ContentLines,
  next: ContentLines,
): PlacedChanges {
  if (changes.length === 0) return { changes: [], reach: { linesBefore: old.count, linesAfter: old.count } };
  const sides = { old: new Side(old), next: new Side(next) };
  for (const { oldStart, oldCount, newStart, newCount } of changes) {
    sides.old.mark(oldStart, oldCount);
    sides.next.mark(newStart, newCount);
  }
  compact(sides.old, sides.next);
  compact(sides.next, sides.old);
  return { changes: readChanges(sides.old, sides.next), reach: reachOf(sides.old, sides.next) };
}

export interface PlacedChanges {
  readonly changes: Change[];
  /** How many lines at the beginning and at the end no group came to stand on, wherever it was tried. */
  readonly reach: { readonly linesBefore: number; readonly linesAfter: number };
}

function reachOf(old: Side, next: Side): PlacedChanges["reach"] {
  return {
    linesBefore: Math.min(old.lowest, next.lowest),
    linesAfter: Math.min(old.lines.count - old.highest, next.lines.count - next.highest),
  };
}

/** One side of a comparison, and the group of changed lines that is looked at: `start` to before `end`, maybe none. */
class Side {
  readonly lines: ContentLines;
  /** 1 for a changed line; one more than there are lines, never set. */
  readonly changed: Uint8Array;
  start = 0;
  end = 0;
  /** The first line that was ever part of a group, and the one after the last. */
  lowest: number;
  highest = 0;

  constructor(lines: ContentLines) {
    this.lines = lines;
    this.changed = new Uint8Array(lines.count + 1);
    this.lowest = lines.count;
  }

  get size(): number {
    return this.end - this.start;
  }

  mark(start: number, count: number): void {
    this.changed.fill(1, start, start + count);
    this.#reach(start, start + count);
  }

  first(): void {
    this.start = 0;
    this.end = 0;
    this.#growDown();
  }

  /** To the group after the next equal line; false at the end. */
  next(): boolean {
    if (this.end === this.lines.count) return false;
    this.start = this.end + 1;
    this.end = this.start;
    this.#growDown();
    return true;
  }

  /** How many equal lines follow the group, up to the next changed one. */
  equalLines(): number {
    return this.equalFrom(this.end);
  }

  equalFrom(line: number): number {
    const changed = this.changed.indexOf(1, line);
    return (changed === -1 ? this.lines.count : changed) - line;
  }

  /** Over as many equal lines, none of which has a changed one behind it. */
  skip(count: number): void {
    if (count <= 0) return;
    this.end += count;
    this.start = this.end;
  }

  previous(): void {
    this.end = this.start - 1;
    this.start = this.end;
    this.#growUp();
  }

  /** Moves the group by one line, and joins it with one that it then touches; false if the lines differ. */
  slideDown(): boolean {
    const { ids } = this.lines;
    if (this.end >= ids.length || ids[this.start] !== ids[this.end]) return false;
    this.changed[this.start++] = 0;
    this.changed[this.end++] = 1;
    this.#reach(this.start, this.end);
    this.#growDown();
    return true;
  }

  slideUp(): boolean {
    const { ids } = this.lines;
    if (this.start === 0 || ids[this.start - 1] !== ids[this.end - 1]) return false;
    this.changed[--this.start] = 1;
    this.changed[--this.end] = 0;
    this.#reach(this.start, this.end);
    this.#growUp();
    return true;
  }

  #reach(start: number, end: number): void {
    this.lowest = Math.min(this.lowest, start);
    this.highest = Math.max(this.highest, end);
  }

  #growDown(): void {
    while (this.changed[this.end] === 1) this.end += 1;
  }

  #growUp(): void {
    while (this.start > 0 && this.changed[this.start - 1] === 1) this.start -= 1;
  }
}

/** Places the groups of one side; `other` stays at the group that stands between the same equal lines. */
function compact(side: Side, other: Side): void {
  side.first();
  other.first();
  do {
    if (side.size > 0) placeGroup(side, other);
    const equal = Math.min(side.equalLines(), other.equalLines()) - 1;
    side.skip(equal);
    other.skip(equal);
  } while (side.next() && other.next());
}

function placeGroup(side: Side, other: Side): void {
  const up = () => {
    const moved = side.slideUp();
    if (moved) other.previous();
    return moved;
  };
  let size: number;
  let earliestEnd: number;
  let alignedEnd: number | undefined;
  do {
    size = side.size;
    while (up());
    earliestEnd = side.end;
    alignedEnd = other.size > 0 ? side.end : undefined;
    while (side.slideDown()) {
      other.next();
      if (other.size > 0) alignedEnd = side.end;
    }
    // joining another group gives new places to slide to
  } while (size !== side.size);
  if (side.end === earliestEnd) return;
  if (alignedEnd !== undefined) {
    while (other.size === 0 && up());
    return;
  }
  const best = bestSplit(side.lines, { size, earliestEnd, latestEnd: side.end });
  while (side.end > best && up());
}

function readChanges(old: Side, next: Side): Change[] {
  const changes: Change[] = [];
  let [oldAt, newAt] = [0, 0];
  const isDone = () => oldAt >= old.lines.count && newAt >= next.lines.count;
  while (!isDone()) {
    const [oldStart, newStart] = [oldAt, newAt];
    while (old.changed[oldAt] === 1) oldAt += 1;
    while (next.changed[newAt] === 1) newAt += 1;
    const [oldCount, newCount] = [oldAt - oldStart, newAt - newStart];
    if (oldCount > 0 || newCount > 0) changes.push({ oldStart, oldCount, newStart, newCount });
    const equal = Math.max(1, Math.min(old.equalFrom(oldAt), next.equalFrom(newAt)));
    oldAt += equal;
    newAt += equal;
  }
  return changes;
}
