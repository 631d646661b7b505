import { spawnSync } from "node:child_process";
import { sha256Hex } from "../../src/base/digest.ts";
import type { BenchResult } from "../bench-result.ts";
import { childCpuMs } from "../measure.ts";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

export interface PairOptions {
  readonly name: string;
  readonly ours: Command;
  readonly floor: Command;
  readonly runs: number;
  /** What is done before each run of ours, untimed. */
  readonly before?: () => void;
}

interface Measured {
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

/** Times two commands in turn (A B A B ...), process start to exit, and returns the medians. */
export function measurePairs({ name, ours, floor, runs, before }: PairOptions): BenchResult {
  const measured: { ours: Measured[]; floor: Measured[] } = { ours: [], floor: [] };
  before?.();
  let output = run(ours).output;
  run(floor);
  for (let count = 0; count < runs; count += 1) {
    before?.();
    const ourRun = run(ours);
    output = ourRun.output;
    measured.ours.push(ourRun);
    measured.floor.push(run(floor));
  }
  const [value, floorValue] = [middle(measured.ours, "elapsedMs"), middle(measured.floor, "elapsedMs")];
  const [cpuMs, floorCpuMs] = [middle(measured.ours, "cpuMs"), middle(measured.floor, "cpuMs")];
  return {
    name,
    value,
    unit: "ms",
    floor: floorValue,
    ratio: value / floorValue,
    cpuMs,
    // a floor of less than a tick says nothing
    ...(floorCpuMs > 0 ? { cpuRatio: cpuMs / floorCpuMs } : {}),
    resultHash: sha256Hex(output).slice(0, 16),
  };
}

function middle(measured: readonly Measured[], figure: keyof Measured): number {
  return median(measured.map((each) => each[figure]));
}

/** Exit code 1 is how `doctor` says that it found something. */
function run({ program, args, cwd }: Command): Measured & { readonly output: Buffer } {
  const [start, cpu] = [performance.now(), childCpuMs()];
  const result = spawnSync(program, args, { cwd, maxBuffer: 1 << 30 });
  const [elapsedMs, cpuMs] = [performance.now() - start, childCpuMs() - cpu];
  if (result.status !== 0 && result.status !== 1)
    throw new Error(`${program} ${args.join(" ")} failed: ${String(result.stderr)}`);
  return { elapsedMs, cpuMs, output: result.stdout };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] =
    sorted.length % 2 === 0 ? sorted.slice(middle - 1, middle + 1) : [sorted[middle], sorted[middle]];
  return (low + high) / 2;
}
