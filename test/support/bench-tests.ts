import { expect, test } from "vitest";
import { type Bench, formatResults } from "../../bench/run.ts";

/** Declares one test per benchmark: it runs at its tiny size and gives usable figures. */
export function testBenches(benches: readonly Bench[]): void {
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
}
