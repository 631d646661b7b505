import type { FilePatch, Hunk } from "../../git/objects/file-patch.ts";
import type { LineRange } from "./owner-runs.ts";

/** The lines that a change adds, sorted. */
export function addedRanges(hunks: readonly Hunk[]): LineRange[] {
  return hunks
    .filter((hunk) => hunk.newCount > 0)
    .map((hunk) => ({ first: hunk.newStart, last: hunk.newStart + hunk.newCount - 1 }));
}

export function countDeleted(hunks: readonly Hunk[]): number {
  return hunks.reduce((sum, hunk) => sum + hunk.oldCount, 0);
}

/**
 * The lines of a file that a commit itself adds: those that differ from every parent. `others` are the changes against
 * the parents after the first; a file that one of them does not name is that parent's own.
 */
export function ownRanges(
  patch: FilePatch,
  others: readonly ReadonlyMap<string, FilePatch>[],
): readonly LineRange[] {
  let own: readonly LineRange[] = addedRanges(patch.hunks);
  for (const other of others) {
    own = intersectRanges(own, addedRanges(other.get(patch.newPath ?? "")?.hunks ?? []));
  }
  return own;
}

/** Both lists are sorted and without overlap; so is the result. */
function intersectRanges(a: readonly LineRange[], b: readonly LineRange[]): LineRange[] {
  const both: LineRange[] = [];
  for (let left = 0, right = 0; left < a.length && right < b.length; ) {
    const [one, other] = [a[left], b[right]];
    if (one === undefined || other === undefined) break;
    const first = Math.max(one.first, other.first);
    const last = Math.min(one.last, other.last);
    if (first <= last) both.push({ first, last });
    if (one.last < other.last) left += 1;
    else right += 1;
  }
  return both;
}

export function inRanges(ranges: readonly LineRange[], line: number): boolean {
  return ranges.some(({ first, last }) => first <= line && line <= last);
}
