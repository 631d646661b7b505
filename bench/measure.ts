import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Mean processor time of what each action starts, rounds in turn as `timeInTurn`. Milliseconds by name. */
export function cpuInTurn<Name extends string>(
  rounds: number,
  actions: Readonly<Record<Name, () => void>>,
): Record<Name, number> {
  const names = Object.keys(actions) as Name[];
  const used = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      const start = childCpuMs();
      actions[name]();
      used[name] += (childCpuMs() - start) / rounds;
    }
  }
  return used;
}

/** Times each action once per round, in turn, so that a busy machine slows all alike. Milliseconds by name. */
export function timeInTurn<Name extends string>(
  rounds: number,
  actions: Readonly<Record<Name, () => void>>,
): Record<Name, number[]> {
  const names = Object.keys(actions) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      const start = performance.now();
      actions[name]();
      times[name].push(performance.now() - start);
    }
  }
  return times;
}

/** Processor time of all programs that this process has started and that have ended, theirs included, milliseconds. */
export function childCpuMs(): number {
  // the name in parentheses may hold anything; user and system time of children are the 14th and 15th field behind it
  const fields = readFileSync("/proc/self/stat", "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[13]) + Number(fields[14])) * tickMs;
}

const tickMs = 10;

export interface NodeRun {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs Node to its end. @throws if it fails */
export function runNode({ args, cwd, stdin = "", env = process.env }: NodeRun): Buffer {
  const result = spawnSync(process.execPath, args, { cwd, input: stdin, env });
  if (result.status !== 0)
    throw new Error(`node ${args.join(" ")} failed: ${result.stderr.toString("utf8")}`);
  return result.stdout;
}

/** Peak memory of one such run, bytes. */
export function peakMemoryOf(run: NodeRun): number {
  const folder = mkdtempSync(join(tmpdir(), "kf-peak-"));
  try {
    const file = join(folder, "peak");
    const env = { ...(run.env ?? process.env), KEYFRAME_PEAK_FILE: file };
    runNode({ ...run, args: ["-r", resolve("bench/peak-memory.cjs"), ...run.args], env });
    return Number(readFileSync(file, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
