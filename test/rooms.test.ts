import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

/** A directory with more modules than this holds two ideas: cut it, and write down among the layer rules why each is there. */
const maxModules = 16;

const modules = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts"),
);

test(`no directory of src holds more than ${maxModules} modules`, () => {
  const counts = new Map<string, number>();
  for (const name of modules) counts.set(dirname(name), (counts.get(dirname(name)) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > maxModules)).toEqual([]);
});

test("directories of src import each other in one direction", () => {
  const uses = new Map<string, Set<string>>(modules.map((name) => [dirname(name), new Set()]));
  for (const name of modules)
    for (const room of importedRooms(name)) if (room !== dirname(name)) uses.get(dirname(name))?.add(room);
  expect(uses.get("authorship/record")).toContain("authorship/edits");
  expect(roomsInCircles(uses)).toEqual([]);
});

/** The rooms that a module imports from, type imports and imports at run time included. */
function importedRooms(name: string): string[] {
  const imports = /(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g;
  return [...readFileSync(join("src", name), "utf8").matchAll(imports)]
    .map(([, path = ""]) => join(dirname(name), path))
    .filter((path) => existsSync(join("src", path)))
    .map((path) => dirname(path));
}

/** What is left when rooms that import nothing, then those that import only these, are taken away. */
function roomsInCircles(uses: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const left = new Map(uses);
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const [room, used] of left) if (![...used].some((each) => left.has(each))) left.delete(room);
  }
  return [...left.keys()];
}
