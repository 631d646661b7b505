// Runs the benchmarks whose name holds the filter, and writes their figures beside their targets into BASELINE.md:
//
//   npm run bench:baseline [filter]
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { formatBytes } from "../src/base/bytes.ts";
import type { BenchResult } from "./bench-result.ts";
import { loadBenches } from "./run.ts";
import { judge } from "./targets.ts";

const begin = "<!-- figures -->";
const end = "<!-- end of figures -->";

/** The page with the sections of these benchmarks renewed; those of others stay. */
export function renewFigures(page: string, renewed: ReadonlyMap<string, string>): string {
  const [from, to] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  if (to < from) throw new Error(`the page has no place between ${begin} and ${end}`);
  const sections = new Map<string, string>();
  for (const section of page.slice(from, to).split(/^(?=### )/m)) {
    const name = /^### (.*)$/m.exec(section)?.[1];
    if (name !== undefined) sections.set(name, section.trim());
  }
  for (const [name, section] of renewed) sections.set(name, section);
  const text = [...sections].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, section]) => `\n\n${section}`);
  return `${page.slice(0, from)}${text.join("")}\n\n${page.slice(to)}`;
}

/** A heading, under which circumstances it was measured, and a table. */
export function figuresSection(name: string, results: readonly BenchResult[], circumstances: string): string {
  const rows = results.map((result) =>
    [
      result.name,
      amount(result.value, result.unit),
      result.floor === undefined ? "" : amount(result.floor, result.unit),
      result.ratio?.toFixed(2) ?? "",
      result.cpuMs === undefined ? "" : amount(result.cpuMs, "ms"),
      result.cpuRatio?.toFixed(2) ?? "",
      result.peakMemoryBytes === undefined ? "" : formatBytes(result.peakMemoryBytes),
      judge(result),
    ].join(" | "),
  );
  return [
    `### ${name}`,
    "",
    circumstances,
    "",
    "| what | value | floor | ratio | CPU | over the floor's | peak memory | target |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row} |`),
  ].join("\n");
}

function amount(value: number, unit: string): string {
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}

async function main(filter = ""): Promise<void> {
  const path = fileURLToPath(new URL("BASELINE.md", import.meta.url));
  const benches = await loadBenches(filter);
  if (benches.length === 0) throw new Error(`no benchmark is called ${filter}`);
  for (const bench of benches) {
    const results = await bench.run({ tiny: false });
    const load = (loadavg()[0] ?? 0).toFixed(1);
    const when = new Date().toISOString().slice(0, 10);
    const circumstances = `On ${when}, ${cpus().length} cores, Node ${process.versions.node}, load ${load} at the end.`;
    const section = figuresSection(bench.name, results, circumstances);
    console.log(`\n${section}`);
    // after each, so that a run that is ended keeps what it has
    writeFileSync(path, renewFigures(readFileSync(path, "utf8"), new Map([[bench.name, section]])));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);
