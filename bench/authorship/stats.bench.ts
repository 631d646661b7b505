import { rmSync } from "node:fs";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { createHistory } from "../support/history.ts";
import { measurePairs } from "../support/pairs.ts";
import { keyframeProgram } from "../support/program.ts";

/** Statistics of a range of 1,000 commits, against `git log -p` of the same: what reading the changes alone costs. */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const commits = tiny ? 20 : 1000;
  const cwd = createHistory({ commits: commits + 1, files: tiny ? 3 : 40, linesPerFile: tiny ? 20 : 400 });
  try {
    const range = `HEAD~${commits}..HEAD`;
    return [
      measurePairs({
        name: `stats of ${commits} commits`,
        ours: { program: process.execPath, args: [keyframeProgram, "stats", "--json", range], cwd },
        floor: { program: "git", args: ["log", "-p", "-U0", "-M", range], cwd },
        runs: tiny ? 1 : 7,
      }),
    ];
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
