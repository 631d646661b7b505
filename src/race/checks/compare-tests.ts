import type { CheckResult, TestState } from "./check.ts";

/** How the tests of a lane differ from those of the base, by id. */
export interface TestComparison {
  readonly fixed: readonly string[];
  readonly broken: readonly string[];
  readonly stillFailing: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Failed once and passed once on the same files: counted neither as broken nor as fixed. */
  readonly flaky: readonly string[];
}

export function compareTests(base: readonly CheckResult[], lane: readonly CheckResult[]): TestComparison {
  const before = testsOf(base);
  const after = testsOf(lane);
  const flaky = new Set([...base, ...lane].flatMap((check) => check.flaky ?? []));
  const of = (pick: (was: TestState | undefined, is: TestState | undefined) => boolean) =>
    [...new Set([...before.keys(), ...after.keys()])]
      .filter((id) => !flaky.has(id) && pick(before.get(id), after.get(id)))
      .sort();
  return {
    fixed: of((was, is) => was === "failed" && is === "passed"),
    broken: of((was, is) => was !== "failed" && was !== undefined && is === "failed"),
    stillFailing: of((was, is) => was === "failed" && is === "failed"),
    added: of((was, is) => was === undefined && is !== undefined),
    removed: of((was, is) => was !== undefined && is === undefined),
    flaky: [...flaky].sort(),
  };
}

function testsOf(checks: readonly CheckResult[]): Map<string, TestState> {
  return new Map(checks.flatMap((check) => Object.entries(check.tests ?? {})));
}

export interface NumberComparison {
  readonly name: string;
  readonly base: number;
  readonly lane: number;
  /** Lane over base; 1 is the same. */
  readonly ratio: number;
  /** True where the difference is inside what the repetitions differ by. */
  readonly noise: boolean;
}

/** Medians of benchmarks that both printed. A difference inside the spread of either is noise, and no winner. */
export function compareNumbers(
  base: readonly CheckResult[],
  lane: readonly CheckResult[],
): NumberComparison[] {
  const before = numbersOf(base);
  const comparisons: NumberComparison[] = [];
  for (const [name, values] of numbersOf(lane)) {
    const others = before.get(name);
    if (others === undefined) continue;
    const [a, b] = [median(others), median(values)];
    const spread = Math.max(spreadOf(others), spreadOf(values));
    comparisons.push({
      name,
      base: a,
      lane: b,
      ratio: a === 0 ? Number.NaN : b / a,
      noise: Math.abs(b - a) <= spread,
    });
  }
  return comparisons;
}

function numbersOf(checks: readonly CheckResult[]): Map<string, readonly number[]> {
  return new Map(checks.flatMap((check) => Object.entries(check.numbers ?? {})));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function spreadOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.max(...values) - Math.min(...values);
}
