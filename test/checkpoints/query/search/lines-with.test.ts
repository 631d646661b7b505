import { expect, test } from "vitest";
import { linesWith } from "../../../../src/checkpoints/query/search/lines-with.ts";

const found = (lines: readonly string[], ...words: string[]) =>
  linesWith(Buffer.from(lines.map((line) => `${line}\n`).join("")), words).map((line) =>
    line.toString().trim(),
  );

test("a word is found however the line is encoded", () => {
  const encodings = [
    JSON.stringify({ text: 'say "größe" <b>bold</b> src/a.ts\nnext' }),
    // as encoders of other languages write it
    '{"text": "say \\"gr\\u00f6\\u00dfe\\" \\u003cb\\u003ebold\\u003c/b\\u003e src\\/a.ts\\nnext"}',
    // arguments of a tool that are JSON in a string
    JSON.stringify({ arguments: JSON.stringify({ text: 'say "größe" <b>bold</b> src/a.ts\nnext' }) }),
  ];
  for (const word of [
    '"größe"',
    "GRÖSSE".replace("SS", "ß"),
    "<b>BOLD</b>",
    "src/a.ts",
    "a.ts\nnext",
    "öß",
    "\n",
  ])
    expect(found(encodings, word), word).toEqual(encodings);
});

test("lines without one of the words are left out, and a line comes once", () => {
  const lines = ['{"a":"Error error error"}', '{"a":"no mistake"}', '{"a":"error","b":"mistake"}'];
  expect(found(lines, "error")).toEqual([lines[0], lines[2]]);
  expect(found(lines, "error", "mistake")).toEqual([lines[2]]);
  expect(found(lines, "absent")).toEqual([]);
  expect(linesWith(Buffer.from('{"a":"error"}'), ["error"])).toHaveLength(1);
  expect(linesWith(Buffer.alloc(0), ["error"])).toEqual([]);
});

test("long content is looked at in pieces of whole lines", () => {
  const lines = Array.from({ length: 40 }, (_, n) => `${n}:${"ä".repeat(30_000)}:needle${n}:`);
  expect(found(lines, "needle")).toEqual(lines);
  expect(found(lines, "NEEDLE17:")).toEqual([lines[17]]);
});
