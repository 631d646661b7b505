import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("every package of the lockfile is bound to a digest", () => {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
    packages: Record<string, { integrity?: string; link?: boolean }>;
  };
  const unbound = Object.entries(lock.packages).filter(
    ([path, { integrity, link }]) =>
      path !== "" && link !== true && integrity?.startsWith("sha512-") !== true,
  );
  expect(unbound.map(([path]) => path)).toEqual([]);
});
