import { expect, test } from "vitest";
import { run as runBlame } from "../../bench/authorship/blame.bench.ts";
import { run as runNotes } from "../../bench/authorship/notes.bench.ts";
import { run as runReports } from "../../bench/authorship/reports.bench.ts";

test("the benchmarks run at their tiny sizes and compute the same each time", async () => {
  for (const [run, count] of [
    [runBlame, 2],
    [runReports, 9],
    [runNotes, 1],
  ] as const) {
    const first = await run({ tiny: true });
    const second = await run({ tiny: true });
    expect(first).toHaveLength(count);
    expect(second.map((result) => result.resultHash)).toEqual(first.map((result) => result.resultHash));
    for (const { value } of first) expect(value).toBeGreaterThan(0);
  }
});
