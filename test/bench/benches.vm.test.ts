import { expect, test } from "vitest";
import { formatResults, loadBenches } from "../../bench/run.ts";

const benches = await loadBenches("sandbox/");

test.each(benches.map((bench) => [bench.name, bench] as const))(
  "the benchmark %s runs at its tiny size, and gives figures with a digest of what it made",
  async (_, bench) => {
    const results = await bench.run({ tiny: true });
    expect(results.length).toBeGreaterThan(0);
    for (const result of results) {
      expect(result.name).toMatch(/\S/);
      expect(Number.isFinite(result.value)).toBe(true);
      expect(result.resultHash).toMatch(/^[0-9a-f]{8,}$/);
    }
    expect(formatResults(results).split("\n")).toHaveLength(results.length + 1);
  },
);
