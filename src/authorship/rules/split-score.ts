import type { ContentLines } from "./content-lines.ts";

/** Indentation beyond this, and blank lines in a row beyond the next, are not told apart. */
const maxIndent = 200;
const maxBlanks = 20;
/** How far a group is slid in search of the best place, lines. */
const maxSliding = 100;

/** As in git's indent heuristic: found there by comparing with what people chose. Lower is better. */
const weights = {
  startOfFile: 1,
  endOfFile: 21,
  blankLine: -30,
  blankLineAfter: 6,
  indented: -4,
  indentedAfterBlank: 10,
  outdented: 24,
  outdentedAfterBlank: 17,
  dedented: 23,
  dedentedAfterBlank: 17,
  /** One that is indented further counts as much as this. */
  indentation: 60,
} as const;

const noIndent = -1;

interface Score {
  readonly indent: number;
  readonly penalty: number;
}

/** The end of a group among those it can slide to where the cuts before and after it are best; of equals the last. */
export function bestSplit(
  lines: ContentLines,
  group: { readonly size: number; readonly earliestEnd: number; readonly latestEnd: number },
): number {
  const { size, earliestEnd, latestEnd } = group;
  let best = latestEnd;
  let bestScore: Score | undefined;
  const first = Math.max(earliestEnd, latestEnd - size - 1, latestEnd - maxSliding);
  for (let end = first; end <= latestEnd; end += 1) {
    const [after, before] = [scoreOf(lines, end), scoreOf(lines, end - size)];
    const score = { indent: after.indent + before.indent, penalty: after.penalty + before.penalty };
    if (bestScore !== undefined && compareScores(score, bestScore) > 0) continue;
    bestScore = score;
    best = end;
  }
  return best;
}

function compareScores(a: Score, b: Score): number {
  return weights.indentation * Math.sign(a.indent - b.indent) + (a.penalty - b.penalty);
}

/** How good a cut before a line is. */
function scoreOf(lines: ContentLines, at: number): Score {
  const isEnd = at >= lines.count;
  const own = isEnd ? noIndent : indentOf(lines, at);
  const before = nearestLine(lines, at, -1);
  const after = nearestLine(lines, at, 1);
  const blanksAfter = own === noIndent ? 1 + after.blanks : 0;
  const blanks = before.blanks + blanksAfter;
  const indent = own === noIndent ? after.indent : own;
  let penalty = weights.blankLine * blanks + weights.blankLineAfter * blanksAfter;
  if (before.indent === noIndent && before.blanks === 0) penalty += weights.startOfFile;
  if (isEnd) penalty += weights.endOfFile;
  penalty += indentPenalty({ indent, before: before.indent, after: after.indent, hasBlanks: blanks > 0 });
  return { indent, penalty };
}

function indentPenalty(cut: {
  readonly indent: number;
  readonly before: number;
  readonly after: number;
  readonly hasBlanks: boolean;
}): number {
  const { indent, before, after, hasBlanks } = cut;
  if (indent === noIndent || before === noIndent || indent === before) return 0;
  if (indent > before) return hasBlanks ? weights.indentedAfterBlank : weights.indented;
  // a line that opens a block of its own (`else`) goes with what stands before it
  if (after !== noIndent && after > indent)
    return hasBlanks ? weights.outdentedAfterBlank : weights.outdented;
  return hasBlanks ? weights.dedentedAfterBlank : weights.dedented;
}

/** The nearest line in a direction that is not blank, and how many blank ones stand before it. */
function nearestLine(
  lines: ContentLines,
  at: number,
  step: 1 | -1,
): { readonly indent: number; readonly blanks: number } {
  let blanks = 0;
  for (let line = at + step; line >= 0 && line < lines.count; line += step) {
    const indent = indentOf(lines, line);
    if (indent !== noIndent) return { indent, blanks };
    blanks += 1;
    // git takes so many blank lines for the beginning of a line
    if (blanks === maxBlanks) return { indent: 0, blanks };
  }
  return { indent: noIndent, blanks };
}

/** Columns before the first visible byte, a tab to the next multiple of eight; -1 for a blank line. */
function indentOf(lines: ContentLines, at: number): number {
  let indent = 0;
  for (const byte of lines.line(at)) {
    if (byte === 0x20) indent += 1;
    else if (byte === 0x09) indent += 8 - (indent % 8);
    else if (byte < 0x09 || byte > 0x0d) return indent;
    if (indent >= maxIndent) return maxIndent;
  }
  return noIndent;
}
