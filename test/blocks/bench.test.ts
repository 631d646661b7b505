import { expect, test } from "vitest";
import { run as runLayerWriting } from "../../bench/blocks/layer-writing.bench.ts";
import { run as runManifestLookup } from "../../bench/blocks/manifest-lookup.bench.ts";

test.each([
  ["manifest lookup", runManifestLookup],
  ["layer writing", runLayerWriting],
])("the benchmark of %s runs, and gives the same result each time", async (_, run) => {
  const [first, second] = [await run({ tiny: true }), await run({ tiny: true })];
  expect(first.map(({ resultHash }) => resultHash)).toEqual(second.map(({ resultHash }) => resultHash));
  for (const { value, resultHash } of first) {
    expect(value).toBeGreaterThan(0);
    expect(resultHash).toMatch(/^[0-9a-f]{16}$/);
  }
});
