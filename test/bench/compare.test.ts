import { expect, test } from "vitest";
import { compareResults } from "../../bench/compare.ts";

const result = (name: string, value: number, cpuMs?: number) => ({
  name,
  value,
  unit: "ms",
  resultHash: "00000000",
  ...(cpuMs === undefined ? {} : { cpuMs }),
});

test("figures of both commits are compared by the medians of their rounds, processor time beside them", () => {
  const here = [result("a", 10, 5), result("a", 30, 7), result("a", 20, 6), result("new", 1)];
  const there = [result("a", 40, 12), result("gone", 1)];
  expect(compareResults(here, there)).toEqual([
    { name: "a", unit: "ms", here: 20, there: 40, ratio: 0.5 },
    { name: "a, CPU", unit: "ms", here: 6, there: 12, ratio: 0.5 },
  ]);
});
