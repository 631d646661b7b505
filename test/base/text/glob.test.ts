import { expect, test } from "vitest";
import { compileGlob } from "../../../src/base/text/glob.ts";

const cases: readonly [string, readonly string[], readonly string[]][] = [
  ["*.lock", ["a.lock", "x/y/b.lock", ".lock"], ["a.lock/b", "alock"]],
  ["src/*.ts", ["src/a.ts"], ["src/x/a.ts", "y/src/a.ts"]],
  ["/a", ["a"], ["b/a"]],
  ["**/vendor/**", ["vendor/a", "x/vendor/y/z"], ["vendor", "xvendor/a"]],
  ["a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "b"]],
  ["docs/", ["docs", "x/docs"], ["docs2"]],
  ["?[a-c][!x]\\*", ["qbz*", "日aé*"], ["qdz*", "qbx*", "qbzz"]],
  ["a[", ["a["], ["a"]],
  ["*a*b*c", ["xxaybzc", "abc"], ["acb"]],
];
test.each(cases)("%s", (pattern, yes, no) => {
  const matches = compileGlob(pattern);
  expect(yes.filter((path) => !matches(path))).toEqual([]);
  expect(no.filter(matches)).toEqual([]);
});

test("a pattern made to backtrack answers in the steps of pattern times path", () => {
  // exponential matching of this would not end within the test's time
  expect(compileGlob(`${"*a".repeat(60)}b`)("a".repeat(4000))).toBe(false);
  expect(compileGlob(`${"**/".repeat(60)}b`)("a/".repeat(2000))).toBe(false);
});
