import { describe, expect, test } from "vitest";
import { rewrittenRegions, sharedCuts } from "../../../src/authorship/rules/rewritten-lines.ts";

const bytes = (...lines: string[]) => Buffer.from(lines.map((line) => `${line}\n`).join(""));

describe("what became of lines that another text replaced", () => {
  test.each([
    ["quotes and names", ["const a = 'x';"], ['let a = "x";'], 1],
    [
      "one line cut into several",
      ["call(one, two, three);"],
      ["call(", "  one,", "  two,", "  three,", ");"],
      1,
    ],
    ["something else", ["const a = 'x';"], ["import { b } from './c';"], 0],
    ["nothing: it was removed", ["const a = 'x';"], [], 0],
    ["signs only", ["{", "}"], ["[", "]"], 0],
  ])("%s", (_, before, after, regions) => {
    const found = rewrittenRegions(bytes("top", ...before, "end"), bytes("top", ...after, "end"));
    expect(found).toHaveLength(regions);
  });

  test("a cut is shared only where the same line is gone from both", () => {
    const before = bytes("one", "two", "three", "}", "four");
    expect(sharedCuts(before, bytes("one", "four"), bytes("one", "four", "more"))).toEqual([1, 2]);
    expect(sharedCuts(before, bytes("one", "four"), bytes("two", "three", "}", "four"))).toEqual([]);
    expect(
      sharedCuts(before, bytes("one", "two", "three", "four"), bytes("one", "two", "three", "four")),
    ).toEqual([]);
  });
});
