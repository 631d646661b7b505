import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineInterner } from "../../../src/authorship/rules/content-lines.ts";
import { equalEnds } from "../../../src/authorship/rules/equal-ends.ts";
import { splitLines } from "../../../src/base/text/lines.ts";

const endsOf = (old: string, next: string) => {
  const interner = createLineInterner();
  return equalEnds(interner.intern(Buffer.from(old)), interner.intern(Buffer.from(next)));
};

test.each([
  { old: "", next: "", first: 0, last: 0 },
  { old: "a\nb\n", next: "a\nb\n", first: 2, last: 0 },
  { old: "a\nb", next: "a\nb\n", first: 1, last: 0 },
  { old: "a\nb\nc\n", next: "a\nX\nc\n", first: 1, last: 1 },
  { old: "a\na\n", next: "a\na\na\n", first: 2, last: 0 },
  // the end of one line is not the end of another
  { old: "ab\nc\n", next: "b\nc\n", first: 0, last: 1 },
  { old: "a\r\nb\n", next: "a\nb\n", first: 0, last: 1 },
])("$old and $next share lines at both ends", ({ old, next, first, last }) => {
  expect(endsOf(old, next)).toEqual({ first, last });
});

test("the lines at both ends are equal, and none is counted twice", () => {
  const text = fc
    .array(fc.constantFrom("a\n", "b\n", "\n", "ab\n", "a"), { maxLength: 30 })
    .map((lines) => lines.join(""));
  fc.assert(
    fc.property(text, text, text, text, (head, tail, mine, yours) => {
      const [old, next] = [head + mine + tail, head + yours + tail];
      const { first, last } = endsOf(old, next);
      const [a, b] = [old, next].map((content) => splitLines(Buffer.from(content)).map(String));
      expect(a?.slice(0, first)).toEqual(b?.slice(0, first));
      expect(last === 0 ? [] : a?.slice(-last)).toEqual(last === 0 ? [] : b?.slice(-last));
      expect(first + last).toBeLessThanOrEqual(Math.min(a?.length ?? 0, b?.length ?? 0));
      // what is left differs at its beginning
      if (old !== next && first < Math.min(a?.length ?? 0, b?.length ?? 0))
        expect(a?.[first]).not.toBe(b?.[first]);
    }),
    { numRuns: 500 },
  );
});
