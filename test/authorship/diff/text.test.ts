import { expect, test } from "vitest";
import { changedRanges, parseUnifiedDiff } from "../../../src/authorship/diff/text.ts";

test("lines get their numbers, and content that looks like a header stays content", () => {
  const [file, other] = parseUnifiedDiff(
    Buffer.from(`diff --git "a/a b\\t" b/c
--- "a/a b\\t"
+++ b/c
@@ -1,3 +2,4 @@ fn
 one
--- two
+diff --git a/x b/x
+++ three
 four
\\ No newline at end of file
diff --git a/d b/d
--- a/d
+++ /dev/null
@@ -7 +0,0 @@
-gone
`),
  );
  expect(file).toMatchObject({ oldPath: "a b\t", newPath: "c" });
  expect(file?.lines.flatMap(({ kind, line }) => (line === undefined ? [] : [`${kind} ${line}`]))).toEqual([
    "removed 2",
    "added 3",
    "added 4",
  ]);
  expect(file && changedRanges(file, "added")).toEqual([{ first: 3, last: 4 }]);
  expect(other).toMatchObject({ oldPath: "d", newPath: undefined });
  expect(other && changedRanges(other, "removed")).toEqual([{ first: 7, last: 7 }]);
});

test("nothing is no file", () => expect(parseUnifiedDiff(Buffer.alloc(0))).toEqual([]));
