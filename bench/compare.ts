import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BenchResult } from "./bench-result.ts";
import { median } from "./measure.ts";

/** One figure here and at another commit. */
export interface ComparedFigure {
  readonly name: string;
  readonly unit: string;
  readonly here: number;
  readonly there: number;
  /** Below 1 where this commit is quicker or smaller. */
  readonly ratio: number;
}

export interface CompareRequest {
  /** Any revision whose benchmarks know `--json`. */
  readonly base: string;
  readonly filter: string;
  readonly tiny: boolean;
  readonly rounds: number;
}

/**
 * Runs the benchmarks of another commit and of this one in turn, each in a checkout and with a build of its own, so that a
 * busy machine slows both alike. @throws Error if the other commit has no such benchmarks
 */
export function compareWith({ base, filter, tiny, rounds }: CompareRequest): ComparedFigure[] {
  const folder = mkdtempSync(join(tmpdir(), "kf-compare-"));
  const there = join(folder, "base");
  try {
    run("git", ["worktree", "add", "--quiet", "--detach", there, base]);
    symlinkSync(resolve("node_modules"), join(there, "node_modules"));
    // real data that benchmarks read where it lies beside the project: both read the same
    if (existsSync(resolve("../shared"))) symlinkSync(resolve("../shared"), join(folder, "shared"));
    run(process.execPath, ["scripts/build.mjs"], there);
    const results: { here: BenchResult[]; there: BenchResult[] } = { here: [], there: [] };
    for (let round = 0; round < rounds; round += 1) {
      results.here.push(...measure(resolve("."), { filter, tiny }));
      results.there.push(...measure(there, { filter, tiny }));
    }
    return compareResults(results.here, results.there);
  } finally {
    spawnSync("git", ["worktree", "remove", "--force", there]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Medians of the figures that both have, processor time as a figure of its own. */
export function compareResults(
  here: readonly BenchResult[],
  there: readonly BenchResult[],
): ComparedFigure[] {
  const [ours, theirs] = [figuresOf(here), figuresOf(there)];
  return [...ours].flatMap(([name, { unit, values }]) => {
    const other = theirs.get(name);
    if (other === undefined) return [];
    const [value, base] = [median(values), median(other.values)];
    return [{ name, unit, here: value, there: base, ratio: value / base }];
  });
}

interface Figure {
  readonly unit: string;
  readonly values: number[];
}

function figuresOf(results: readonly BenchResult[]): Map<string, Figure> {
  const figures = new Map<string, Figure>();
  const add = (name: string, unit: string, value: number) => {
    const figure = figures.get(name) ?? { unit, values: [] };
    figure.values.push(value);
    figures.set(name, figure);
  };
  for (const { name, unit, value, cpuMs } of results) {
    add(name, unit, value);
    if (cpuMs !== undefined) add(`${name}, CPU`, "ms", cpuMs);
  }
  return figures;
}

function measure(
  cwd: string,
  { filter, tiny }: Pick<CompareRequest, "filter" | "tiny">,
): readonly BenchResult[] {
  const args = ["--import", "./scripts/typescript.mjs", "bench/run.ts", "--json"];
  const output = run(process.execPath, [...args, ...(tiny ? ["--tiny"] : []), filter], cwd);
  try {
    return JSON.parse(output) as BenchResult[];
  } catch (cause) {
    throw new Error(`the benchmarks in ${cwd} print no JSON: compare with a commit that knows --json`, {
      cause,
    });
  }
}

function run(program: string, args: readonly string[], cwd = "."): string {
  const result = spawnSync(program, args, { cwd, encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${result.stderr}`);
  return result.stdout;
}
