import { spawnSync } from "node:child_process";
import { sha256Hex } from "../../src/base/digest.ts";
import type { BenchResult } from "../bench-result.ts";

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
}

/** Times two commands in turn (A B A B ...), process start to exit, and answers the medians. */
export function measurePairs({ name, ours, floor, runs }: PairOptions): BenchResult {
  const times: { ours: number[]; floor: number[] } = { ours: [], floor: [] };
  let output = run(ours).output;
  run(floor);
  for (let count = 0; count < runs; count += 1) {
    const ourRun = run(ours);
    output = ourRun.output;
    times.ours.push(ourRun.elapsedMs);
    times.floor.push(run(floor).elapsedMs);
  }
  const [value, floorValue] = [median(times.ours), median(times.floor)];
  return {
    name,
    value,
    unit: "ms",
    floor: floorValue,
    ratio: value / floorValue,
    resultHash: sha256Hex(output),
  };
}

function run({ program, args, cwd }: Command): { elapsedMs: number; output: Buffer } {
  const start = performance.now();
  const result = spawnSync(program, args, { cwd, maxBuffer: 1 << 30 });
  const elapsedMs = performance.now() - start;
  if (result.status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${String(result.stderr)}`);
  return { elapsedMs, output: result.stdout };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] =
    sorted.length % 2 === 0 ? sorted.slice(middle - 1, middle + 1) : [sorted[middle], sorted[middle]];
  return (low + high) / 2;
}
