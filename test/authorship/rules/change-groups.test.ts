import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineInterner } from "../../../src/authorship/rules/content-lines.ts";
import { diffLines } from "../../../src/authorship/rules/sequence-diff.ts";

// git is the oracle: what our diff calls added is what git's diff and blame call added.

const line = fc.constantFrom("", "{", "}", "  a", "  b", "    c", "\td", "end", "  end");
const block = fc.array(line, { minLength: 1, maxLength: 3 });
const edit = fc.record({
  before: fc.array(line, { minLength: 1, maxLength: 12 }),
  at: fc.nat(12),
  block,
  repeat: fc.boolean(),
});

const textOf = (lines: readonly string[]) => Buffer.from(lines.map((text) => `${text}\n`).join(""));

/** Hunks by file name, from one git process for all cases. */
function gitHunks(folder: string): Map<string, string[]> {
  const args = ["diff", "--no-index", "-U0", "--indent-heuristic", "--diff-algorithm=myers", "old", "new"];
  const { stdout } = spawnSync("git", args, { cwd: folder, encoding: "utf8" });
  const hunks = new Map<string, string[]>();
  let file = "";
  for (const text of stdout.split("\n")) {
    file = /^diff --git a\/old\/(\d+)/.exec(text)?.[1] ?? file;
    const hunk = /^@@ -(\d+(?:,\d+)?) \+(\d+(?:,\d+)?) @@/.exec(text);
    if (hunk !== null) hunks.set(file, [...(hunks.get(file) ?? []), `${hunk[1]} ${hunk[2]}`]);
  }
  return hunks;
}

function ourHunks(old: Buffer, next: Buffer): string[] {
  const interner = createLineInterner();
  const side = (start: number, count: number) => {
    const first = count === 0 ? start : start + 1;
    return count === 1 ? `${first}` : `${first},${count}`;
  };
  return diffLines(interner.intern(old), interner.intern(next)).map(
    ({ oldStart, oldCount, newStart, newCount }) => `${side(oldStart, oldCount)} ${side(newStart, newCount)}`,
  );
}

test("an inserted or removed block stands where git puts it", () => {
  const cases = fc
    .sample(edit, { numRuns: 1500, seed: 20261130 })
    .map(({ before, at, block: added, repeat }) => {
      const place = Math.min(at, before.length);
      // generated code repeats itself: the block is often what stands there already
      const text = repeat ? before.slice(Math.max(0, place - added.length), place) : added;
      return { before, after: [...before.slice(0, place), ...text, ...before.slice(place)] };
    });
  const folder = mkdtempSync(join(tmpdir(), "kf-groups-"));
  try {
    for (const name of ["old", "new"]) mkdirSync(join(folder, name));
    cases.forEach(({ before, after }, index) => {
      // every other case removes instead of inserting
      const [old, next] = index % 2 === 0 ? [before, after] : [after, before];
      writeFileSync(join(folder, "old", `${index}`), textOf(old));
      writeFileSync(join(folder, "new", `${index}`), textOf(next));
    });
    const expected = gitHunks(folder);
    cases.forEach(({ before, after }, index) => {
      const [old, next] = index % 2 === 0 ? [before, after] : [after, before];
      const what = JSON.stringify({ old, next });
      expect(ourHunks(textOf(old), textOf(next)), what).toEqual(expected.get(`${index}`) ?? []);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a block that could stand at several places goes with its blank line", () => {
  const before = ["describe", "  it a", "    x", "  end", "", "  it c", "    x", "  end"];
  const added = ["  it b", "    x", "  end", ""];
  const after = [...before.slice(0, 5), ...added, ...before.slice(5)];
  expect(ourHunks(textOf(before), textOf(after))).toEqual(["5,0 6,4"]);
});
