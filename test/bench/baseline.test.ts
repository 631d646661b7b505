import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { figuresSection, renewFigures } from "../../bench/baseline.ts";
import { judge } from "../../bench/targets.ts";

const result = { name: "stats of 500 commits, again", value: 150, unit: "ms", resultHash: "0" };

test("a figure stands beside its target, met or missed or not measured", () => {
  expect(judge({ ...result, cpuRatio: 1.9 })).toBe("CPU ratio at most 2: met");
  expect(judge({ ...result, cpuRatio: 2.1 })).toBe("CPU ratio at most 2: missed");
  expect(judge(result)).toBe("CPU ratio at most 2: not measured");
  expect(judge({ ...result, name: "something else" })).toBe("");
  expect(
    judge({
      ...result,
      name: "hook after an edit, 18 MiB, 4000000 lines",
      value: 400,
      peakMemoryBytes: 2 ** 29,
    }),
  ).toBe("value at most 1000: met; memory at most 300 MiB: missed");
});

test("what was measured again is written anew, and the rest of the page stays", () => {
  const page =
    "# Page\n\n<!-- figures -->\n\n### b\n\nold b\n\n### c\n\nold c\n\n<!-- end of figures -->\n\nmore\n";
  const renewed = renewFigures(
    page,
    new Map([
      ["b", "### b\n\nnew b"],
      ["a", "### a\n\nnew a"],
    ]),
  );
  expect(renewed).toBe(
    "# Page\n\n<!-- figures -->\n\n### a\n\nnew a\n\n### b\n\nnew b\n\n### c\n\nold c\n\n<!-- end of figures -->\n\nmore\n",
  );
  expect(renewFigures(renewed, new Map())).toBe(renewed);
});

test("the page has a place for figures, and a section is a table", () => {
  const page = readFileSync("bench/BASELINE.md", "utf8");
  const section = figuresSection(
    "x/y",
    [{ ...result, floor: 100, ratio: 1.5, cpuMs: 90, cpuRatio: 0.9 }],
    "Now.",
  );
  expect(renewFigures(page, new Map([["x/y", section]]))).toContain(
    "| stats of 500 commits, again | 150 ms | 100 ms | 1.50 | 90.0 ms | 0.90 |  | CPU ratio at most 2: met |",
  );
});
