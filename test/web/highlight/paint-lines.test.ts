// Covers web/highlight/**: what the worker makes of a file, without a browser.
import fc from "fast-check";
import { expect, test } from "vitest";
import { languageOf } from "../../../web/highlight/languages.ts";
import { FilePainter } from "../../../web/highlight/paint-lines.ts";
import { type PaintedLine, roles } from "../../../web/highlight/painted-line.ts";

const widthOf = (line: PaintedLine) => line.reduce((sum, part, at) => (at % 2 === 0 ? sum + part : sum), 0);

test.each([
  ["src/a.ts", "typescript"],
  ["deep/er/view.TSX", "tsx"],
  ["Dockerfile", "docker"],
  ["Makefile", "make"],
  ["a.tar.yml", "yaml"],
  ["notes", undefined],
  ["", undefined],
  ["a.constructor", undefined],
])("%s is painted as %s", (path, language) => {
  expect(languageOf(path)).toBe(language);
});

test("a line far down is painted by what stands before it", async () => {
  const text = [
    "/*",
    ...Array.from({ length: 450 }, (_, at) => `line ${at} of a comment`),
    "*/",
    "return 1;",
  ];
  const painted = await new FilePainter("typescript", text).paint(430, 453);
  expect(painted).toHaveLength(23);
  expect(painted[0]).toEqual([text[430]?.length, roles.indexOf("comment")]);
  expect(painted.at(-1)?.slice(0, 2)).toEqual(["return ".length, roles.indexOf("keyword")]);
});

test("pieces of a line are as long as the line, whatever is in it", async () => {
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }).map((text) => text.replace(/[\r\n]/g, " ")),
    fc.constantFrom("const a = `x${", "'unfinished", "<script>", "// \u202e", "é😀 = 1;", "x".repeat(5000)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 30 }), async (text) => {
      const painted = await new FilePainter("typescript", text).paint(0, text.length);
      expect(painted.map(widthOf)).toEqual(text.map(({ length }) => length));
    }),
    { numRuns: 40, seed: 17 },
  );
});
