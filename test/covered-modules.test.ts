import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const filesOf = (folder: string, ending: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ending));

/** What the comment at the very beginning of each test says that it covers: modules, `src/room/*` or `src/room/**`. */
const covered = filesOf("test", ".test.ts").flatMap((name) => {
  const [, opening = ""] =
    /^\/\/ Covers ((?:.*\n\/\/ )*.*)/.exec(readFileSync(join("test", name), "utf8")) ?? [];
  return opening.match(/\bsrc\/[\w./-]*\**/g) ?? [];
});

test("every module of src has a test at its path, or one whose first lines name it or its room", () => {
  const named = new Set(covered);
  const untested = filesOf("src", ".ts")
    .map((name) => name.slice(0, -".ts".length))
    .filter((name) => !["", ".e2e", ".vm"].some((kind) => existsSync(join("test", `${name}${kind}.test.ts`))))
    .filter((name) => !patternsFor(`src/${name}`).some((pattern) => named.has(pattern)));
  expect(untested).toEqual([]);
});

test("what a test says that it covers is there", () => {
  const gone = covered.filter((pattern) => !existsSync(pattern.replace(/\/\*+$/, "")));
  expect(gone).toEqual([]);
  expect(covered.length).toBeGreaterThan(100);
});

function patternsFor(module: string): string[] {
  const patterns = [`${module}.ts`, `${dirname(module)}/*`];
  for (let room = dirname(module); room !== "src" && room !== "."; room = dirname(room))
    patterns.push(`${room}/**`);
  return patterns;
}
