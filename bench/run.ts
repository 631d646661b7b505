import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { formatBytes } from "../src/base/bytes.ts";
import { formatTable } from "../src/cli/output/terminal.ts";
import type { BenchResult } from "./bench-result.ts";
import { type ComparedFigure, compareWith } from "./compare.ts";

/** One `*.bench.ts`. */
export interface Bench {
  /** From the directory of benchmarks: `hooks/commit`. */
  readonly name: string;
  run(options: { readonly tiny: boolean }): Promise<BenchResult[]>;
}

const folder = fileURLToPath(new URL(".", import.meta.url));

/** All benchmarks whose name holds the filter, by name. */
export async function loadBenches(filter: string): Promise<Bench[]> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".bench.ts"))
    .map((path) => path.slice(0, -".bench.ts".length))
    .filter((name) => name.includes(filter))
    .sort();
  const benches: Bench[] = [];
  for (const name of names) {
    const module = (await import(pathToFileURL(join(folder, `${name}.bench.ts`)).href)) as Omit<
      Bench,
      "name"
    >;
    benches.push({ name, run: module.run });
  }
  return benches;
}

/** Rows for people: figure, floor and ratio of the same run, peak memory, digest of the result. */
export function formatResults(results: readonly BenchResult[]): string {
  const figure = (value: number | undefined, unit: string) =>
    value === undefined
      ? ""
      : `${value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2)} ${unit}`;
  const rows = results.map((result) => [
    result.name,
    figure(result.value, result.unit),
    figure(result.floor, result.unit),
    result.ratio === undefined ? "" : `${result.ratio.toFixed(2)} x`,
    figure(result.cpuMs, "ms"),
    result.cpuRatio === undefined ? "" : `${result.cpuRatio.toFixed(2)} x`,
    result.peakMemoryBytes === undefined ? "" : formatBytes(result.peakMemoryBytes),
    result.resultHash,
  ]);
  const head = ["", "value", "floor", "ratio", "CPU", "ratio", "peak memory", "result"];
  return formatTable([head, ...rows], [{}, ...Array(6).fill({ align: "right" as const })]);
}

/** Rows for people: each figure here and there, and the ratio. */
export function formatComparison(figures: readonly ComparedFigure[], base: string): string {
  const rows = figures.map(({ name, unit, here, there, ratio }) => [
    name,
    `${here.toFixed(1)} ${unit}`,
    `${there.toFixed(1)} ${unit}`,
    `${ratio.toFixed(2)} x`,
  ]);
  return formatTable(
    [["", "here", base, "ratio"], ...rows],
    [{}, ...Array(3).fill({ align: "right" as const })],
  );
}

/** How often each commit's benchmarks run in a comparison, in turn. */
const comparedRounds = 3;

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tiny: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      compare: { type: "string" },
    },
  });
  const { tiny, json, compare: base } = values;
  const [filter = ""] = positionals;
  const benches = await loadBenches(filter);
  if (benches.length === 0) throw new Error(`no benchmark is called ${filter}`);
  if (base !== undefined) {
    const figures = compareWith({ base, filter, tiny, rounds: comparedRounds });
    console.log(json ? JSON.stringify(figures) : formatComparison(figures, base));
    return;
  }
  const all: BenchResult[] = [];
  for (const bench of benches) {
    const results = await bench.run({ tiny });
    all.push(...results);
    if (!json) console.log(`\n${bench.name}\n${formatResults(results)}`);
  }
  if (json) console.log(JSON.stringify(all));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
