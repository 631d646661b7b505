import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { formatBytes } from "../src/base/bytes.ts";
import { formatTable } from "../src/cli/output/terminal.ts";
import type { BenchResult } from "./bench-result.ts";

/** One `*.bench.ts`. */
export interface Bench {
  /** From the folder of benchmarks: `hooks/commit`. */
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
    result.peakMemoryBytes === undefined ? "" : formatBytes(result.peakMemoryBytes),
    result.resultHash,
  ]);
  const head = ["", "value", "floor", "ratio", "CPU", "peak memory", "result"];
  return formatTable([head, ...rows], [{}, ...Array(5).fill({ align: "right" as const })]);
}

async function main(args: readonly string[]): Promise<void> {
  const tiny = args.includes("--tiny");
  const filter = args.find((arg) => !arg.startsWith("--")) ?? "";
  const benches = await loadBenches(filter);
  if (benches.length === 0) throw new Error(`no benchmark is called ${filter}`);
  for (const bench of benches) {
    console.log(`\n${bench.name}`);
    console.log(formatResults(await bench.run({ tiny })));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
