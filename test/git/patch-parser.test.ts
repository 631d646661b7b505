import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PatchParser } from "../../src/git/objects/patch-parser.ts";

const first = "1".repeat(40);
const second = "2".repeat(40);

const text = [
  first,
  "diff --git a/a.txt b/a.txt",
  "index 1..2 100644",
  "--- a/a.txt",
  "+++ b/a.txt",
  "@@ -1,2 +1 @@ diff --git a/no b/no",
  "-@@ -9,9 +9,9 @@",
  "-\\ old",
  "\\ No newline at end of file",
  "+diff --git a/no b/no",
  "\\ No newline at end of file",
  "@@ -8,0 +8,2 @@",
  `+${first}`,
  `+${"long ".repeat(100)}`,
  'diff --git "a/\\303\\244" "b/\\303\\244"',
  "new file mode 100644",
  "@@ -0,0 +1 @@",
  "+with a\0byte",
  second,
  "diff --git a/x b/y",
  "rename from x",
  "rename to y",
  "diff --git a/sub b/sub",
  "index 1..2 160000",
  "@@ -1 +1 @@",
  "-Subproject commit 1",
  "+Subproject commit 2",
  "",
].join("\n");

const expected = [
  {
    commit: first,
    files: [
      {
        oldPath: "a.txt",
        newPath: "a.txt",
        binary: false,
        hunks: [
          { oldStart: 1, oldCount: 2, newStart: 1, newCount: 1 },
          { oldStart: 8, oldCount: 0, newStart: 8, newCount: 2 },
        ],
      },
      { oldPath: undefined, newPath: "ä", binary: true, hunks: [] },
    ],
  },
  {
    commit: second,
    files: [
      { oldPath: "x", newPath: "y", binary: false, hunks: [] },
      { oldPath: "sub", newPath: "sub", binary: false, hunks: [], submodule: true },
    ],
  },
];

function parse(pieces: readonly Buffer[]) {
  const parser = new PatchParser();
  return [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end(false)];
}

describe("PatchParser", () => {
  const bytes = Buffer.from(text);

  it("reads headers and passes over content, whatever it looks like", () => {
    expect(parse([bytes])).toEqual(expected);
  });

  it("reads the same wherever the output is cut into pieces", () => {
    for (let size = 1; size < 80; size += 1) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      expect(parse(pieces)).toEqual(expected);
    }
    const end = bytes.indexOf("long");
    fc.assert(
      fc.property(fc.array(fc.nat(end), { maxLength: 8 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((to, index) => bytes.subarray(at[index], to));
        expect(parse(pieces)).toEqual(expected);
      }),
    );
  });

  it("takes a header that is too long for one as none", () => {
    const long = Buffer.from(`${first}\ndiff --git a/a b/a\n${"x".repeat(70_000)}\n@@ -1 +1 @@\n-a\n+b\n`);
    for (const pieces of [[long], [long.subarray(0, 60_000), long.subarray(60_000)]])
      expect(parse(pieces)).toEqual([
        {
          commit: first,
          files: [
            {
              oldPath: "a",
              newPath: "a",
              binary: false,
              hunks: [{ oldStart: 1, oldCount: 1, newStart: 1, newCount: 1 }],
            },
          ],
        },
      ]);
  });
});
