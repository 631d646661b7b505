import { expect, test } from "vitest";
import { run as runList } from "../../bench/checkpoints/list.bench.ts";
import { run as runMigrate } from "../../bench/checkpoints/migrate.bench.ts";
import { run as runResume } from "../../bench/checkpoints/resume-bytes.bench.ts";
import { run as runStorage } from "../../bench/checkpoints/storage.bench.ts";
import { run as runRedaction } from "../../bench/transcripts/redaction.bench.ts";

test.each([
  ["list", runList],
  ["migrate", runMigrate],
  ["resume", runResume],
  ["storage", runStorage],
  ["redaction", runRedaction],
])("the %s benchmark runs at its tiny size, and twice gives the same results", async (_, run) => {
  const [first, second] = [await run({ tiny: true }), await run({ tiny: true })];
  expect(first.map(({ resultHash }) => resultHash)).toEqual(second.map(({ resultHash }) => resultHash));
  for (const { value, resultHash } of first) {
    expect(value).toBeGreaterThan(0);
    expect(resultHash).toMatch(/^[0-9a-f]{16}$/);
  }
});
