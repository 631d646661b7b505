import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyframeVersion } from "../../src/base/version.ts";

test("the version in the code is the version of the package", () => {
  expect(keyframeVersion).toBe(JSON.parse(readFileSync("package.json", "utf8")).version);
});
