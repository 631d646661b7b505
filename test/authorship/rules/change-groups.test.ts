import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineInterner } from "../../../src/authorship/rules/content-lines.ts";
import { diffLines, diffWithin } from "../../../src/authorship/rules/sequence-diff.ts";

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
  expectAsGit(cases);
});

test("a change stands where it stands when the whole file is looked at, among equal lines too", () => {
  const rows = fc.sample(fc.record({ line: block, edit, head: fc.nat(900), tail: fc.nat(900) }), {
    numRuns: 150,
    seed: 20261201,
  });
  for (const {
    line,
    edit: { before, at, block: added, repeat },
    head,
    tail,
  } of rows) {
    const fill = (count: number) =>
      Array.from({ length: count }, (_, index) => line[index % line.length] ?? "");
    const place = Math.min(at, before.length);
    const text = repeat ? fill(line.length * 2) : added;
    const [first, last] = [
      [...fill(head), ...before.slice(0, place)],
      [...before.slice(place), ...fill(tail)],
    ];
    // in the middle of what repeats itself, and between other lines
    for (const [old, next] of [
      [
        [...fill(head), ...fill(tail)],
        [...fill(head), ...text, ...fill(tail)],
      ],
      [
        [...first, ...text, ...last],
        [...first, ...last],
      ],
    ]) {
      const interner = createLineInterner();
      const [a, b] = [interner.intern(textOf(old ?? [])), interner.intern(textOf(next ?? []))];
      expect(diffLines(a, b)).toEqual(diffWithin(a, b, { first: 0, last: 0 }));
    }
  }
});

test("a block goes where it is best, however many lines it shares with what follows", () => {
  const unit = ["begin", ...Array.from({ length: 88 }, (_, index) => `  step ${index}`), "end"];
  for (const shared of [10, 62, 80, 89]) {
    const after = [...unit.slice(0, shared), "other"];
    const interner = createLineInterner();
    const [old, next] = [
      interner.intern(textOf([...unit, ...unit, ...after])),
      interner.intern(textOf([...unit, ...unit, ...unit, ...after])),
    ];
    const [change] = diffLines(old, next);
    expect([change], `${shared}`).toEqual(diffWithin(old, next, { first: 0, last: 0 }));
  }
});

function expectAsGit(cases: readonly { readonly before: string[]; readonly after: string[] }[]): void {
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
}

test("a block that could stand at several places goes with its blank line", () => {
  const before = ["describe", "  it a", "    x", "  end", "", "  it c", "    x", "  end"];
  const added = ["  it b", "    x", "  end", ""];
  const after = [...before.slice(0, 5), ...added, ...before.slice(5)];
  expect(ourHunks(textOf(before), textOf(after))).toEqual(["5,0 6,4"]);
});
