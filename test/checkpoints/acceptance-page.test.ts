import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

test("every test that the page on acceptance names is there", () => {
  const page = readFileSync(join(root, "docs/acceptance-conversations.md"), "utf8");
  const files = [...page.matchAll(/`([a-z]+(?:\/[a-z0-9-]+)+(?:\.e2e)?\.test\.ts)`/g)].map(
    ([, name]) => name ?? "",
  );
  const texts = [...new Set(files)].map((name) => readFileSync(join(root, "test", name), "utf8")).join("\n");
  const titles = [...page.matchAll(/"([^"]{8,})"/g)].map(([, title]) => title ?? "");
  expect(titles.length).toBeGreaterThan(40);
  expect(titles.filter((title) => !texts.includes(title))).toEqual([]);
});
