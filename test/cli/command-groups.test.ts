import { expect, test } from "vitest";
import { commandGroups, groupedHelp, readBriefs } from "../../src/cli/command-groups.ts";

test("keyframe --help names every command once, in the group that people look for it in", () => {
  const grouped = commandGroups.flatMap(([, names]) => names);
  expect([...grouped].sort()).toEqual([...readBriefs().keys()].sort());
  expect(new Set(grouped).size).toBe(grouped.length);
});

test("keyframe --help fits a terminal of 100 columns", () => {
  for (const line of groupedHelp(readBriefs()).split("\n"))
    expect(line.length, line).toBeLessThanOrEqual(100);
});
