import { expect, test } from "vitest";
import { run as runBlame } from "../../bench/authorship/blame.bench.ts";
import { run as runNotes } from "../../bench/authorship/notes.bench.ts";
import { run as runStats } from "../../bench/authorship/stats.bench.ts";
import { sharedDataPath } from "../support/shared-data.ts";

test("the benchmarks run at their tiny sizes and compute the same each time", async () => {
  const hasNotes = sharedDataPath("git-ai-notes-sample.jsonl.gz") !== undefined;
  for (const [run, count] of [
    [runBlame, 2],
    [runStats, 1],
    [runNotes, hasNotes ? 1 : 0],
  ] as const) {
    const first = await run({ tiny: true });
    const second = await run({ tiny: true });
    expect(first).toHaveLength(count);
    expect(second.map((result) => result.resultHash)).toEqual(first.map((result) => result.resultHash));
    for (const { value } of first) expect(value).toBeGreaterThan(0);
  }
});
