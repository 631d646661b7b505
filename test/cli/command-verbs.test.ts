// Covers src/cli/*, src/cli/command/**, src/cli/output/**.
import type { RouteMap } from "@stricli/core";
import { expect, test } from "vitest";
import { application, rootRoutes } from "../../src/cli/application.ts";
import type { CliContext } from "../../src/cli/command/context.ts";

// One thing has one verb everywhere: `list`, `show`, `clean`, `rm`. Old spellings and those of other tools are aliases.

/** Other words for the verbs, which no command may have as its name. */
const synonyms = new Map([
  ["ls", "list"],
  ["info", "show"],
  ["inspect", "show"],
  ["gc", "clean"],
  ["prune", "clean"],
  ["remove", "rm"],
  ["delete", "rm"],
]);

type Entry = readonly [path: string, map: RouteMap<CliContext>];

function routeMaps(path: string, map: RouteMap<CliContext>): Entry[] {
  const below = map
    .getAllEntries()
    .flatMap(({ name, target }) =>
      "getAllEntries" in target ? routeMaps(`${path} ${name.original}`, target as RouteMap<CliContext>) : [],
    );
  return [[path, map], ...below];
}

const maps = routeMaps("keyframe", rootRoutes);
const namesOf = (map: RouteMap<CliContext>) => map.getAllEntries().map(({ name }) => name.original);

test("no command is called by a synonym of a verb", () => {
  const wrong = maps.flatMap(([path, map]) =>
    namesOf(map)
      .filter((name) => synonyms.has(name))
      .map((name) => `${path} ${name}: call it ${synonyms.get(name)}`),
  );
  expect(wrong).toEqual([]);
});

const groups = ["image", "sandbox", "snapshot", "race", "session"].map((name) => `keyframe ${name}`);
const oldSpellings: readonly [path: string, old: string, name: string][] = [
  ["keyframe", "ls", "list"],
  ["keyframe", "gc", "clean"],
  ["keyframe image", "gc", "clean"],
  ["keyframe snapshot", "gc", "clean"],
  ...groups.map((path): [string, string, string] => [path, "ls", "list"]),
  ...groups.map((path): [string, string, string] => [path, "info", "show"]),
];

test.each(oldSpellings)("%s %s still works as %s, and is not listed", (path, old, name) => {
  const [, map] = maps.find(([known]) => known === path) ?? [];
  expect(map?.getRoutingTargetForInput(old)).toBe(map?.getRoutingTargetForInput(name));
  expect(map === undefined ? [] : namesOf(map)).not.toContain(old);
  expect(application.config.completion.includeAliases).toBe(false);
});
