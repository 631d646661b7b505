import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSearchIndex } from "../../../../src/checkpoints/query/search/search-index.ts";
import type { SearchText } from "../../../../src/checkpoints/query/search/search-text.ts";
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

test("lines of a transcript are found by what they say, not by what stands beside it", async () => {
  const line = (content: unknown) =>
    `${JSON.stringify({ type: "assistant", sessionId: "beside", message: { id: "m", content } })}\n`;
  const lines = Buffer.from(
    line([{ type: "text", text: 'the "Needle" is here' }]) +
      line([{ type: "tool_use", id: "t", name: "Bash", input: { command: "grep needle", timeout: 9 } }]),
  );
  await openSearchIndex(nodeFiles, folder).add([
    { key: "a", texts: [said("other words")] },
    { key: "b", agent: "Claude Code", lines },
    { key: "c", texts: [said("more words")] },
  ]);
  const texts = (...words: string[]) =>
    [...openSearchIndex(nodeFiles, folder).find(words)].map(
      ({ key, text }) => `${key} ${text.kind} ${text.text}`,
    );
  expect(texts("NEEDLE", "here")).toEqual(['b assistant the "Needle" is here']);
  expect(texts('bash {"command":"grep')).toEqual(['b tool Bash {"command":"grep needle","timeout":9}']);
  expect(texts("beside")).toEqual([]);
  expect(texts("tool_use")).toEqual([]);
  expect(texts("words")).toEqual(["a user other words", "c user more words"]);
});

test("a segment that was damaged is indexed again", async () => {
  await openSearchIndex(nodeFiles, folder).add([{ key: "a", texts: [said("one word")] }]);
  const [name = ""] = readdirSync(folder);
  writeFileSync(join(folder, name), readFileSync(join(folder, name)).subarray(0, -1));
  expect(openSearchIndex(nodeFiles, folder).has("a")).toBe(false);
  await openSearchIndex(nodeFiles, folder).add([{ key: "a", texts: [said("one word")] }]);
  expect(found(["one word"])).toEqual(["a"]);
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

test("what no checkpoint names any more goes, and so does what cannot be read", async () => {
  const lines = Buffer.from(
    `${JSON.stringify({ type: "user", message: { role: "user", content: "lines" } })}\n`,
  );
  await openSearchIndex(nodeFiles, folder).add([
    { key: "a", texts: [said("a secret")] },
    { key: "b", agent: "Claude Code", lines },
    { key: "c", texts: [said("kept")] },
  ]);
  await openSearchIndex(nodeFiles, folder).add([{ key: "d", texts: [said("kept as it is")] }]);
  writeFileSync(join(folder, `${"0".repeat(64)}.jsonl`), "a secret that was torn off");
  const index = openSearchIndex(nodeFiles, folder);
  index.retain((key) => key !== "a");
  for (const at of [index, openSearchIndex(nodeFiles, folder)]) {
    expect(["a", "b", "c", "d"].filter((key) => at.has(key))).toEqual(["b", "c", "d"]);
    expect([...at.find(["kept"])].map(({ key }) => key).sort()).toEqual(["c", "d"]);
    expect([...at.find(["lines"])].map(({ key }) => key)).toEqual(["b"]);
  }
  const left = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  expect(left).toHaveLength(2);
  expect(left.join("")).not.toContain("secret");
  index.retain(() => false);
  expect(readdirSync(folder)).toEqual([]);
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
