import type { LineDiff, LineSources } from "./line-diff.ts";
import { isBlank } from "./tokens.ts";

/** Fewer lines than this in a row are too common to be called moved. */
const minMovedLines = 3;
/** Places of one repeated line that are tried as the start of a moved block. */
const maxCandidates = 16;

/**
 * Finds blocks that left one place of the file and stand at another (at least 3 lines that are not blank), and
 * names their old lines in `sources`. Returns the old lines that were used. `trimmed` ignores indentation.
 */
export function matchMovedLines(
  comparison: LineDiff,
  sources: LineSources,
  compare: "exact" | "trimmed",
): Set<number> {
  const used = new Set<number>();
  const removed = new Map<string, number[]>();
  const keyOf = compare === "exact" ? exactKey : trimmedKey;
  for (const { oldStart, oldCount } of comparison.changes) {
    for (let line = oldStart; line < oldStart + oldCount; line += 1) {
      const key = keyOf(comparison.old.line(line));
      const places = removed.get(key);
      if (places === undefined) removed.set(key, [line]);
      else if (places.length < maxCandidates) places.push(line);
    }
  }
  if (removed.size === 0) return used;
  const removedLines = new Set(
    comparison.changes.flatMap(({ oldStart, oldCount }) =>
      Array.from({ length: oldCount }, (_, at) => oldStart + at),
    ),
  );

  for (const { newStart, newCount } of comparison.changes) {
    const end = newStart + newCount;
    for (let start = newStart; start < end; ) {
      const block = longestBlock(start, end);
      if (block.solidLines >= minMovedLines) {
        for (let at = 0; at < block.length; at += 1) {
          sources.set(start + at, [block.oldStart + at]);
          used.add(block.oldStart + at);
        }
      }
      start += block.solidLines >= minMovedLines ? block.length : 1;
    }
  }
  return used;

  function longestBlock(
    start: number,
    end: number,
  ): { oldStart: number; length: number; solidLines: number } {
    let best = { oldStart: 0, length: 0, solidLines: 0 };
    const first = comparison.next.line(start);
    if (isBlank(first) || !sources.isTaken(start)) return best;
    for (const oldStart of removed.get(keyOf(first)) ?? []) {
      let length = 0;
      let solidLines = 0;
      while (start + length < end && removedLines.has(oldStart + length) && !used.has(oldStart + length)) {
        const line = comparison.next.line(start + length);
        if (keyOf(line) !== keyOf(comparison.old.line(oldStart + length))) break;
        if (!isBlank(line)) solidLines += 1;
        length += 1;
      }
      if (solidLines > best.solidLines) best = { oldStart, length, solidLines };
    }
    return best;
  }
}

function exactKey(line: Buffer): string {
  return line.toString("latin1").replace(/\r?\n$/, "\n");
}

function trimmedKey(line: Buffer): string {
  return line?.toString("latin1").trim() ?? "";
}
