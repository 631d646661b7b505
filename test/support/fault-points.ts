import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The names of all `fault("...")` points in the source that begin with one of the prefixes. */
export function faultPointsInSource(...prefixes: readonly string[]): string[] {
  const points = new Set<string>();
  for (const name of readdirSync("src", { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const text = readFileSync(join("src", name), "utf8");
    for (const match of text.matchAll(/\bfault\(\s*"([^"]+)"/g)) {
      const point = match[1] ?? "";
      if (prefixes.some((prefix) => point.startsWith(prefix))) points.add(point);
    }
  }
  return [...points].sort();
}
