import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { createNotedHistory } from "../support/noted-history.ts";
import { measurePairs } from "../support/pairs.ts";
import { keyframeProgram } from "../support/program.ts";

/** Reports over histories with the shape of real ones, against git's own time for the same patches. */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const directories: string[] = [];
  try {
    const noted = createNotedHistory(tiny ? { commits: 30, notes: 60 } : { commits: 2413, notes: 10_685 });
    directories.push(noted);
    const results = reportRows(noted, {
      history: tiny ? "60 notes" : "10,685 notes",
      commits: tiny ? 25 : 500,
      runs: tiny ? 1 : 3,
    });
    if (!tiny) {
      const own = cloneOwn();
      directories.push(own);
      const commits =
        Number(execFileSync("git", ["rev-list", "--count", "--first-parent", "HEAD"], { cwd: own })) - 1;
      results.push(...statsRows(own, { history: "this repository's own history", commits, runs: 3 }));
    }
    return results;
  } finally {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  }
}

interface Rows {
  readonly history: string;
  readonly commits: number;
  readonly runs: number;
}

function reportRows(cwd: string, rows: Rows): BenchResult[] {
  const pair = pairsIn(cwd, rows.runs);
  const last = Math.min(100, rows.commits);
  return [
    ...statsRows(cwd, rows),
    pair(`log -${last}, first, ${rows.history}`, {
      ours: ["log", `-${last}`],
      floor: ["log", "-p", `-${last}`],
      isFirst: true,
    }),
    pair(`log -${last}, again, ${rows.history}`, {
      ours: ["log", `-${last}`],
      floor: ["log", "-p", `-${last}`],
    }),
    pair(`log of all, first, ${rows.history}`, { ours: ["log"], floor: ["log", "-p"], isFirst: true }),
    pair(`log of all, again, ${rows.history}`, { ours: ["log"], floor: ["log", "-p"] }),
    // of the commits that it looks at
    pair(`doctor, first, ${rows.history}`, {
      ours: ["doctor", "--json"],
      floor: ["log", "-p", "-1000"],
      isFirst: true,
    }),
    pair(`doctor, again, ${rows.history}`, { ours: ["doctor", "--json"], floor: ["log", "-p", "-1000"] }),
  ];
}

function statsRows(cwd: string, { history, commits, runs }: Rows): BenchResult[] {
  const pair = pairsIn(cwd, runs);
  const range = `HEAD~${commits}..HEAD`;
  const commands = { ours: ["stats", "--json", range], floor: ["log", "-p", "-U0", "-M", range] };
  return [
    pair(`stats of ${commits} commits, first, ${history}`, { ...commands, isFirst: true }),
    pair(`stats of ${commits} commits, again, ${history}`, commands),
    pair(`stats of one commit, ${history}`, { ours: ["stats", "--json"], floor: ["show", "-U0", "-M"] }),
  ];
}

interface Commands {
  readonly ours: readonly string[];
  readonly floor: readonly string[];
  /** True if nothing was read before. */
  readonly isFirst?: boolean;
}

function pairsIn(cwd: string, runs: number) {
  const index = join(cwd, ".git", "keyframe-index");
  return (name: string, { ours, floor, isFirst = false }: Commands): BenchResult =>
    measurePairs({
      name,
      ours: { program: process.execPath, args: [keyframeProgram, ...ours], cwd },
      floor: { program: "git", args: floor, cwd },
      runs,
      ...(isFirst ? { before: () => rmSync(index, { recursive: true, force: true }) } : {}),
    });
}

function cloneOwn(): string {
  const directory = mkdtempSync(join(tmpdir(), "kf-bench-"));
  execFileSync("git", ["clone", "-q", "--shared", "--no-checkout", process.cwd(), directory]);
  return directory;
}
