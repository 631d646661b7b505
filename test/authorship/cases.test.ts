import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("every test that the page of cases names is there", () => {
  const page = readFileSync(join(root, "authorship/README.md"), "utf8");
  const missing: string[] = [];
  let inSection = "";
  let titles = 0;
  for (const line of page.split("\n")) {
    if (line.startsWith("## ")) inSection = fileIn(line) ?? "";
    if (!line.startsWith("| ")) continue;
    const held = line.split(" | ").at(-1) ?? "";
    for (const part of held.split(";")) {
      const file = fileIn(part) ?? inSection;
      const text = file !== "" && existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8") : "";
      for (const [, title = ""] of part.matchAll(/"([^"]+)"/g)) {
        titles += 1;
        if (!text.includes(title)) missing.push(`${file}: ${title}`);
      }
    }
  }
  expect(titles).toBeGreaterThan(80);
  expect(missing).toEqual([]);
});

function fileIn(text: string): string | undefined {
  return /`([a-z/-]+(?:\.e2e)?\.test\.ts)`/.exec(text)?.[1];
}
