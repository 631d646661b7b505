import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("every path that CONTRIBUTING, README and the changelog name is there", () => {
  const missing = ["CONTRIBUTING.md", "README.md", "CHANGELOG.md"].flatMap((page) =>
    [
      ...readFileSync(page, "utf8").matchAll(
        /(?:`|\]\()((?:src|test|docs|scripts|bench|guest)\/[\w./-]*\w\/?)[`)]/g,
      ),
    ]
      .map(([, path = ""]) => path)
      .filter((path) => !existsSync(path))
      .map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});
