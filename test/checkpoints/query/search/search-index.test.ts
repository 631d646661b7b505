import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSearchIndex, type SearchText } from "../../../../src/checkpoints/query/search/search-index.ts";
import { nodeFiles } from "../../../../src/system/files/files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kf-search-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const said = (text: string): SearchText => ({ kind: "user", text });
const found = (words: string[]) => [...openSearchIndex(nodeFiles, folder).find(words)].map(({ key }) => key);

test("finds what several runs have added, wherever it lies in a long text", async () => {
  const long = `${"x".repeat(19_990)}needle in the cut${"y".repeat(30_000)}last`;
  await openSearchIndex(nodeFiles, folder).add([{ key: "a", texts: [said(long)] }]);
  await openSearchIndex(nodeFiles, folder).add([{ key: "b", texts: [said('quoted "Needle"\nnext line')] }]);
  expect(new Set(found(["needle"]))).toEqual(new Set(["a", "b"]));
  expect(found(["IN THE CUT"])).toEqual(["a"]);
  expect(found(["yyylast"])).toEqual(["a"]);
  expect(found(['"needle"\nnext'])).toEqual(["b"]);
  expect(found(["needle", "absent"])).toEqual([]);
  expect(found(["user"])).toEqual([]);
});

test("a document is written once, and two runs at the same time find it once", async () => {
  const [first, second] = [openSearchIndex(nodeFiles, folder), openSearchIndex(nodeFiles, folder)];
  await first.add([{ key: "a", texts: [said("one word")] }]);
  await first.add([{ key: "a", texts: [said("one word")] }]);
  expect(readdirSync(folder)).toHaveLength(1);
  await second.add([
    { key: "b", texts: [said("another")] },
    { key: "a", texts: [said("one word")] },
  ]);
  expect(readdirSync(folder)).toHaveLength(2);
  expect(found(["one word"])).toEqual(["a"]);
});

test("a run that fails in the middle leaves no half document", async () => {
  const texts = (function* () {
    yield said("first half");
    throw new Error("the transcript broke off");
  })();
  await expect(openSearchIndex(nodeFiles, folder).add([{ key: "a", texts }])).rejects.toThrow("broke off");
  expect(openSearchIndex(nodeFiles, folder).has("a")).toBe(false);
  expect(found(["first half"])).toEqual([]);
});
