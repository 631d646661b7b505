import fc from "fast-check";
import { expect, test } from "vitest";
import {
  clipRuns,
  keyAtLine,
  type LineRange,
  type OwnerRun,
  overlayRuns,
  runsOfClaims,
  uncoveredRanges,
} from "../../../src/authorship/rules/owner-runs.ts";

// Runs are a short form of one key a line: every operation is compared with the same on a plain list of lines.

const lineCount = 30;
const keys = ["s_a::t_1", "s_b::t_2", "h_c"] as const;

const run = fc
  .record({
    first: fc.integer({ min: 1, max: lineCount }),
    length: fc.integer({ min: 1, max: 6 }),
    key: fc.constantFrom(...keys),
  })
  .map(({ first, length, key }): OwnerRun => ({ first, last: Math.min(lineCount, first + length - 1), key }));
const claims = fc.array(run, { maxLength: 8 });
const ranges = fc
  .uniqueArray(fc.integer({ min: 1, max: lineCount }), { maxLength: 12 })
  .map((lines) => rangesOf((line) => lines.includes(line)));

type Lines = readonly (string | undefined)[];

/** The key of each line; of claims that overlap the later one counts. */
const linesOf = (runs: readonly OwnerRun[]): Lines =>
  numbers.map((line) => runs.findLast(({ first, last }) => first <= line && line <= last)?.key);

const numbers = Array.from({ length: lineCount }, (_, index) => index + 1);
const covers = (list: readonly LineRange[], line: number) =>
  list.some(({ first, last }) => first <= line && line <= last);

function rangesOf(isIn: (line: number) => boolean): LineRange[] {
  const found: LineRange[] = [];
  for (const line of numbers.filter(isIn)) {
    const before = found.at(-1);
    if (before?.last === line - 1) found[found.length - 1] = { first: before.first, last: line };
    else found.push({ first: line, last: line });
  }
  return found;
}

/** Sorted, apart, and no two that touch have one key: the one form of these owners. */
function expectShortest(runs: readonly OwnerRun[]): void {
  for (const [index, { first, last, key }] of runs.entries()) {
    expect(first).toBeLessThanOrEqual(last);
    const next = runs[index + 1];
    if (next === undefined) continue;
    expect(last).toBeLessThan(next.first);
    if (last + 1 === next.first) expect(key).not.toBe(next.key);
  }
}

test("claims in any order become runs in which the later claim counts", () => {
  fc.assert(
    fc.property(claims, (list) => {
      const runs = runsOfClaims(list);
      expectShortest(runs);
      expect(linesOf(runs)).toEqual(linesOf(list));
    }),
  );
});

test("an overlay has the owners of the top, and of the base the rest", () => {
  fc.assert(
    fc.property(claims, claims, (below, above) => {
      const [base, top] = [runsOfClaims(below), runsOfClaims(above)];
      const merged = overlayRuns(base, top);
      expectShortest(merged);
      const [baseLines, topLines] = [linesOf(base), linesOf(top)];
      expect(linesOf(merged)).toEqual(numbers.map((_, index) => topLines[index] ?? baseLines[index]));
    }),
  );
});

test("clipping keeps the owners of lines inside, and uncovered ranges are what nobody owns", () => {
  fc.assert(
    fc.property(claims, ranges, (list, inside) => {
      const runs = runsOfClaims(list);
      const lines = linesOf(runs);
      expect(linesOf(clipRuns(runs, inside))).toEqual(
        numbers.map((line, index) => (covers(inside, line) ? lines[index] : undefined)),
      );
      const open = uncoveredRanges(inside, runs);
      for (const { first, last } of open) expect(first).toBeLessThanOrEqual(last);
      expect(numbers.filter((line) => covers(open, line))).toEqual(
        numbers.filter((line, index) => covers(inside, line) && lines[index] === undefined),
      );
    }),
  );
});

test("the key of a line is found at the first and last line of every run and nowhere else", () => {
  fc.assert(
    fc.property(claims, (list) => {
      const runs = runsOfClaims(list);
      expect(numbers.map((line) => keyAtLine(runs, line))).toEqual(linesOf(runs));
    }),
  );
  expect(keyAtLine([], 1)).toBeUndefined();
});
