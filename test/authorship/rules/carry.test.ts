import { describe, expect, test } from "vitest";
import { type CarrySource, carry } from "../../../src/authorship/rules/carry.ts";
import { keyAtLine, type OwnerRuns } from "../../../src/authorship/rules/owner-runs.ts";

const text = (lines: string) =>
  Buffer.from(
    lines
      .split("")
      .map((line) => `${line}\n`)
      .join(""),
  );
const runs = (letters: string): OwnerRuns =>
  letters
    .split("")
    .flatMap((key, index) => (key === "." ? [] : [{ first: index + 1, last: index + 1, key }]));

function source(lines: string, owners: string, options: Partial<CarrySource> = {}): CarrySource {
  return { content: text(lines), runs: runs(owners), isComplete: true, pairing: "told", ...options };
}

/** The owners of the target's lines as letters; `open` marks with `?` the lines that look for one. */
function carried(lines: string, open: string, ...sources: CarrySource[]): string {
  const ranges = open
    .split("")
    .flatMap((mark, index) => (mark === "?" ? [{ first: index + 1, last: index + 1 }] : []));
  const result = carry(sources, { content: text(lines), open: ranges });
  return lines
    .split("")
    .map((_, index) => keyAtLine(result.runs, index + 1) ?? ".")
    .join("");
}

const found = { pairing: "found" } as const;

describe("owners follow content", () => {
  test.each<[string, string, string, CarrySource[], string]>([
    ["an identical line has its owner", "abc", ".??", [source("abc", ".AK")], ".AK"],
    ["only lines that look for an owner get one", "abc", "..?", [source("abc", "AAA")], "..A"],
    ["a line that no source holds is nobody's", "abX", ".??", [source("ab", "AA")], ".A."],
    ["lines shift with what stands before them", "xxab", "..??", [source("ab", "AK")], "..AK"],
    ["a single unique line is found where it moved", "abc", "???", [source("cab", "KAA")], "AAK"],
    ["a brace is not found where it moved", "ab}", "???", [source("}ab", "KAA")], "AA."],
    ["the first source that knows a line decides", "a", "?", [source("a", "A"), source("a", "K")], "A"],
    ["also that it is nobody's, if it knows all lines", "a", "?", [source("a", "."), source("a", "K")], "."],
    [
      "what one commit did not add is asked of the next source",
      "ab",
      "??",
      [source("ab", ".A", { isComplete: false }), source("a", "K", { isComplete: false })],
      "KA",
    ],
    [
      "content alone counts if it holds every line in question",
      "xab",
      ".??",
      [source("yab", ".AA", found)],
      ".AA",
    ],
    ["content alone does not count for a part", "abX", "???", [source("ab", "AA", found)], "..."],
    ["content alone does not count for braces", "x{}", ".??", [source("{}", "AA", found)], "..."],
    [
      "what an earlier source explained is not asked of later content",
      "abX",
      "???",
      [source("X", "K"), source("ab", "AA", found)],
      "AAK",
    ],
  ])("%s", (_title, lines, open, sources, expected) => {
    expect(carried(lines, open, ...sources)).toBe(expected);
  });

  test("a line that is only similar has no owner", () => {
    const before: CarrySource = { ...source("", ""), content: Buffer.from("return a;\n"), runs: runs("A") };
    const target = { content: Buffer.from("  return a;\n"), open: [{ first: 1, last: 1 }] };
    expect(carry([before], target).runs).toEqual([]);
  });

  test("the sources that gave an owner are named", () => {
    const sources = [source("a", "A"), source("zz", "KK"), source("b", "B")];
    expect(carry(sources, { content: text("ab"), open: [{ first: 1, last: 2 }] }).used).toEqual(
      new Set([0, 2]),
    );
  });
});
