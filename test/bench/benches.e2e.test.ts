import { expect, test } from "vitest";
import { loadBenches } from "../../bench/run.ts";
import { testBenches } from "../support/bench-tests.ts";

// those of sandboxes start virtual machines: benches.vm.test.ts runs them
const benches = (await loadBenches("")).filter(({ name }) => !name.startsWith("sandbox/"));

test("there are benchmarks", () => {
  expect(benches.map(({ name }) => name)).toContain("hooks/hook-start");
});

testBenches(benches);
