import { execFileSync } from "node:child_process";
import { beforeAll, expect, test } from "vitest";
import { run as runBookkeeping } from "../../bench/blocks/bookkeeping.bench.ts";
import { createGoRandom, randomAccessTriples } from "../../bench/blocks/go-random.ts";
import { run as runRandomAccess } from "../../bench/blocks/random-access.bench.ts";
import { run as runServing } from "../../bench/nbd/serving.bench.ts";

beforeAll(() => {
  execFileSync("scripts/install-debian-packages.sh", ["nbd"], { stdio: "ignore" });
});

test("the offsets of the random-access workload are the published ones", () => {
  const next = createGoRandom(1, 2);
  expect([next(), next()].map((value) => value.toString(16))).toEqual([
    "c4f5a58656eef510",
    "9dcec3ad077dec6c",
  ]);
  const triples = randomAccessTriples();
  expect(triples.slice(0, 2)).toEqual([
    [415, 996, 711],
    [369, 897, 373],
  ]);
  const sum = (list: number[][]) => list.flat().reduce((total, index) => total + index, 0);
  expect([sum(triples.slice(0, 150)), sum(triples)]).toEqual([248_624, 785_037]);
});

test.each([
  ["random access", runRandomAccess, 6],
  ["bookkeeping", runBookkeeping, 3],
  ["serving", runServing, 13],
])("the benchmark of %s runs at a tiny size and does the work it reports", async (_, run, count) => {
  const results = await run({ tiny: true });
  expect(results.length).toBe(count);
  for (const result of results) {
    expect(result.value).toBeGreaterThan(0);
    expect(result.resultHash).toMatch(/^[0-9a-f]{16}$/);
    expect(result.peakMemoryBytes).toBeGreaterThan(0);
  }
  const served = results.filter((result) => result.unit === "IOPS" || result.unit === "MiB/s");
  expect(new Set(served.map((result) => result.resultHash)).size).toBeLessThanOrEqual(1);
});

test("a chunk costs at most 256 bytes of bookkeeping by construction", async () => {
  const { createBlockBitset } = await import("../../src/blocks/block-bitset.ts");
  const { createAccessRecorder, touchWindowBytes } = await import(
    "../../src/blocks/cache/access-recorder.ts"
  );
  const windows = (4 * 1024 * 1024) / touchWindowBytes;
  const recorder = createAccessRecorder(4 * 1024 * 1024);
  recorder.note(0, 4 * 1024 * 1024);
  const touchBytes = recorder.inOrder().byteLength + windows / 8;
  expect(createBlockBitset(1024).words.byteLength + touchBytes).toBeLessThanOrEqual(256);
});
