import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { longFiles } from "./support/longest-first.ts";

test("every file that is to begin early is there, once", () => {
  expect(longFiles.filter((name) => !existsSync(`test/${name}.test.ts`))).toEqual([]);
  expect(new Set(longFiles).size).toBe(longFiles.length);
});
