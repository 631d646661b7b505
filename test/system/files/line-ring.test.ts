import { appendFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { appendToRing, readRing } from "../../../src/system/files/line-ring.ts";

const limits = { maxFileBytes: 1000, maxFiles: 3 };
let scratch: string;
let folder: string;
beforeEach(() => {
  scratch = nodeFiles.makeTemporaryFolder("kf-ring-");
  folder = join(scratch, "ring");
});
afterEach(() => nodeFiles.removeTree(scratch));

const append = (line: string) => appendToRing(nodeFiles, folder, line, limits);
const read = () => [...readRing(nodeFiles, folder, limits)];

test("lines come back in order, the oldest go, and the folder never outgrows its bound", () => {
  expect(read()).toEqual([]);
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index} ${"x".repeat(index % 50)}`);
  for (const line of lines) {
    append(line);
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(bytes).toBeLessThanOrEqual(limits.maxFiles * (limits.maxFileBytes + 100));
  }
  const kept = read();
  expect(kept.length).toBeGreaterThan(40);
  expect(kept).toEqual(lines.slice(-kept.length));
});

test("a torn line costs only itself", () => {
  append("before");
  appendFileSync(join(folder, "00000001.jsonl"), "\ntorn in the mid");
  append("after");
  expect(read()).toEqual(["before", "torn in the mid", "after"]);
});

test("a writer that is still at an older file loses nothing and brings nothing back for long", () => {
  for (let index = 0; index < 60; index += 1) append(`${index} ${"y".repeat(60)}`);
  const [oldest = ""] = readdirSync(folder);
  appendFileSync(join(folder, oldest), "\nlate");
  expect(read()).toContain("late");
  writeFileSync(join(folder, "00000001.jsonl"), "\nmuch too late");
  for (let index = 0; index < 20; index += 1) append(`${index} ${"z".repeat(60)}`);
  expect(readdirSync(folder)).not.toContain("00000001.jsonl");
});

test("a file that other hands made large is not read whole, and other files are passed over", () => {
  append("ours");
  writeFileSync(join(folder, "notes.txt"), "not a ring file");
  appendFileSync(join(folder, "00000001.jsonl"), `\n${"a".repeat(100_000)}\nlast`);
  const lines = read();
  expect(lines.at(-1)).toBe("last");
  expect(lines.join("").length).toBeLessThanOrEqual(2 * limits.maxFileBytes);
});
