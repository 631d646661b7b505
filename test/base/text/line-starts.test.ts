import fc from "fast-check";
import { expect, test } from "vitest";
import { lineStarts } from "../../../src/base/text/line-starts.ts";
import { splitLines } from "../../../src/base/text/lines.ts";

test("lines start where they are cut, whatever the size of the content", () => {
  const content = fc.array(fc.constantFrom("", "\n", "a\n", "\r\n", "some words"), { maxLength: 20 });
  fc.assert(
    fc.property(content, fc.constantFrom(0, 200_000), (pieces, more) => {
      const bytes = Buffer.from(`${pieces.join("")}${"x\n".repeat(more)}${pieces.join("")}`);
      let at = 0;
      const expected = splitLines(bytes).map((line) => {
        at += line.length;
        return at;
      });
      expect(
        Buffer.from(lineStarts(bytes).buffer).equals(Buffer.from(Uint32Array.of(0, ...expected).buffer)),
      ).toBe(true);
    }),
    { numRuns: 30 },
  );
});
