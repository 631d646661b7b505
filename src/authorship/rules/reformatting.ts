import { type Change, type LineDiff, type LineSources, taken } from "./line-diff.ts";
import { diffSequences } from "./sequence-diff.ts";
import { isBlank, type Token, tokenize } from "./tokens.ts";

/** A region with more tokens than this is compared by whole lines only. */
const maxRegionTokens = 200_000;

/**
 * In each changed region, compares tokens: a new line whose tokens all stood in the old region, with none changed or
 * removed in between, was only reformatted and comes from the old lines of its tokens. Names them in `sources`.
 * Old lines in `usedOldLines` have moved elsewhere and do not count.
 */
export function inheritThroughReformatting(
  comparison: LineDiff,
  sources: LineSources,
  usedOldLines: ReadonlySet<number>,
): void {
  for (const change of comparison.changes) {
    if (change.oldCount > 0 && change.newCount > 0)
      inheritInRegion(comparison, change, { sources, usedOldLines });
  }
}

function inheritInRegion(
  { old, next }: LineDiff,
  change: Change,
  { sources, usedOldLines }: { sources: LineSources; usedOldLines: ReadonlySet<number> },
): void {
  const oldLines = lineNumbers(change.oldStart, change.oldCount).filter((line) => !usedOldLines.has(line));
  const newLines = lineNumbers(change.newStart, change.newCount).filter((line) => sources.isTaken(line));
  const oldTokens = tokenize(oldLines.map((line) => old.line(line)));
  const newTokens = tokenize(newLines.map((line) => next.line(line)));
  if (oldTokens.length + newTokens.length > maxRegionTokens) return;

  const found = matchTokens(oldTokens, newTokens);
  newLines.forEach((line, at) => {
    const from = found.sources.get(at);
    if (from !== undefined && !found.touched.has(at))
      sources.set(
        line,
        [...from].map((oldAt) => oldLines[oldAt] ?? 0),
      );
  });
  // blank lines that a formatter put between lines it kept go with the line above them
  const onlyReformatted = newLines.every((line) => !sources.isTaken(line) || isBlank(next.line(line)));
  if (!onlyReformatted) return;
  for (const line of newLines) {
    const above = line === 0 ? taken : sources.at(line - 1);
    if (sources.isTaken(line) && above !== taken) sources.set(line, above);
  }
}

/**
 * `sources`: by new line (index into the region), the old lines whose tokens it holds. `touched`: new lines in which a
 * token was put in, or next to which one of the same old line went missing.
 */
function matchTokens(oldTokens: readonly Token[], newTokens: readonly Token[]) {
  const changes = diffSequences(...internTokens(oldTokens, newTokens));
  const newLineOfOldToken = new Map<number, number>();
  const removedTokens: number[] = [];
  const sources = new Map<number, Set<number>>();
  const touched = new Set<number>();
  let oldAt = 0;
  let newAt = 0;
  for (const change of [...changes, undefined]) {
    const equalUntil = change?.newStart ?? newTokens.length;
    for (; newAt < equalUntil; newAt += 1, oldAt += 1) {
      const newLine = newTokens[newAt]?.line ?? 0;
      const from = sources.get(newLine) ?? new Set<number>();
      from.add(oldTokens[oldAt]?.line ?? 0);
      sources.set(newLine, from);
      newLineOfOldToken.set(oldAt, newLine);
    }
    for (let count = change?.newCount ?? 0; count > 0; count -= 1) touched.add(newTokens[newAt++]?.line ?? 0);
    for (let count = change?.oldCount ?? 0; count > 0; count -= 1) removedTokens.push(oldAt++);
  }
  for (const removed of removedTokens) {
    const neighbour = survivingNeighbour(removed, oldTokens, newLineOfOldToken);
    if (neighbour !== undefined) touched.add(neighbour);
  }
  return { sources, touched };
}

/** The new line that holds the nearest token of the same old line: the one before, else the one after. */
function survivingNeighbour(
  removed: number,
  oldTokens: readonly Token[],
  newLineOfOldToken: ReadonlyMap<number, number>,
): number | undefined {
  const line = oldTokens[removed]?.line;
  for (const step of [-1, 1]) {
    for (let at = removed + step; oldTokens[at]?.line === line && at >= 0; at += step) {
      const newLine = newLineOfOldToken.get(at);
      if (newLine !== undefined) return newLine;
    }
  }
  return undefined;
}

function internTokens(oldTokens: readonly Token[], newTokens: readonly Token[]): [Uint32Array, Uint32Array] {
  const numbers = new Map<string, number>();
  const intern = (tokens: readonly Token[]) =>
    Uint32Array.from(tokens, ({ text }) => {
      const number = numbers.get(text) ?? numbers.size;
      numbers.set(text, number);
      return number;
    });
  return [intern(oldTokens), intern(newTokens)];
}

function lineNumbers(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => start + at);
}
