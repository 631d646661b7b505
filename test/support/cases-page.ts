import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/**
 * What a page of cases says of tests: rows of `| case | held by |`, where the last cell names files below `test/`, each
 * followed by words of titles in quotes. A file in a heading goes for the rows below it that name none.
 */
export function readCasesPage(path: string): {
  readonly titles: number;
  readonly missing: readonly string[];
} {
  const missing: string[] = [];
  let inSection = "";
  let titles = 0;
  for (const line of readFileSync(join(root, path), "utf8").split("\n")) {
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
  return { titles, missing };
}

function fileIn(text: string): string | undefined {
  return /`([a-z/-]+(?:\.e2e|\.vm)?\.test\.ts)`/.exec(text)?.[1];
}
