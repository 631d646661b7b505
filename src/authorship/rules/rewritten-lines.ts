import { createLineInterner } from "./content-lines.ts";
import { diffLines } from "./sequence-diff.ts";
import { tokenize } from "./tokens.ts";

/** Old and new lines (0-based) of a region in which one text took the place of another that it was made from. */
export interface RewrittenRegion {
  readonly old: { readonly start: number; readonly count: number };
  readonly next: { readonly start: number; readonly count: number };
}

/** Words of the old text that the new one must still have, as a part of all. */
const minKept = 0.5;

/**
 * Where lines gave way to others made from them: at least half of their words stand in what replaced them, as a
 * formatter leaves them that changes quotes, names or line breaks. Tells what became of the lines, not who wrote the
 * new ones. Pure.
 */
export function rewrittenRegions(before: Uint8Array, after: Uint8Array): RewrittenRegion[] {
  const interner = createLineInterner();
  const old = interner.intern(before);
  const next = interner.intern(after);
  return diffLines(old, next).flatMap(({ oldStart, oldCount, newStart, newCount }) => {
    if (oldCount === 0 || newCount === 0) return [];
    const words = wordsOf(Array.from({ length: oldCount }, (_, at) => old.line(oldStart + at)));
    const kept = new Set(wordsOf(Array.from({ length: newCount }, (_, at) => next.line(newStart + at))));
    const left = words.filter((word) => kept.has(word)).length;
    if (words.length === 0 || left < words.length * minKept) return [];
    return [{ old: { start: oldStart, count: oldCount }, next: { start: newStart, count: newCount } }];
  });
}

/** Lines of `before` (0-based) that `produced` lacks and `after` lacks as well; only those with a word. Pure. */
export function sharedCuts(before: Uint8Array, produced: Uint8Array, after: Uint8Array): number[] {
  const interner = createLineInterner();
  const [old, ...others] = [before, produced, after].map((content) => interner.intern(content));
  if (old === undefined) return [];
  const cuts = others.map(
    (next) =>
      new Set(
        diffLines(old, next).flatMap(({ oldStart, oldCount }) =>
          Array.from({ length: oldCount }, (_, at) => oldStart + at),
        ),
      ),
  );
  return [...(cuts[0] ?? [])].filter(
    (line) => cuts.every((cut) => cut.has(line)) && wordsOf([old.line(line)]).length > 0,
  );
}

function wordsOf(lines: readonly Buffer[]): string[] {
  return tokenize(lines).flatMap(({ text }) => (/[A-Za-z0-9_$\u0080-\u00ff]/.test(text) ? [text] : []));
}
