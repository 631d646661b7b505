import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { nodeFiles, temporaryPathFor } from "../../../src/system/files/files.ts";
import { scratchFolder } from "../../support/scratch.ts";

test("what a killed process of the same pid left under a temporary name stops no write, and is not touched", () => {
  const path = join(scratchFolder(), "record");
  const [, pid = "", number = ""] = /\.(\d+)\.(\d+)\.tmp$/.exec(temporaryPathFor(path)) ?? [];
  const left = [1, 2].map((ahead) => `${path}.${pid}.${Number(number) + ahead}.tmp`);
  for (const name of left) writeFileSync(name, "left");
  nodeFiles.replace(path, Buffer.from("new"));
  expect(nodeFiles.createIfAbsent(`${path}2`, Buffer.from("other"))).toBe(true);
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(dirname(path)).sort()).toEqual(
    ["record", "record2", ...left.map((name) => basename(name))].sort(),
  );
});
