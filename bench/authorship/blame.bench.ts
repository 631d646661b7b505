import { rmSync } from "node:fs";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { createHistory } from "../support/history.ts";
import { measurePairs } from "../support/pairs.ts";
import { keyframeProgram } from "../support/program.ts";

/** Blame of one file, against `git blame` of the same and against the start of Node with nothing to do. */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  return (tiny ? [20] : [1000, 10_000]).flatMap((linesPerFile) => {
    const cwd = createHistory({ commits: tiny ? 5 : 100, files: 1, linesPerFile });
    try {
      const ours = {
        program: process.execPath,
        args: [keyframeProgram, "blame", "HEAD", "--", "src/file0.txt"],
        cwd,
      };
      const runs = tiny ? 1 : 11;
      const gitBlame = { program: "git", args: ["blame", "HEAD", "--", "src/file0.txt"], cwd };
      const bareNode = { program: process.execPath, args: ["-e", "0"], cwd };
      return [
        measurePairs({
          name: `blame of ${linesPerFile} lines, against git blame`,
          ours,
          floor: gitBlame,
          runs,
        }),
        measurePairs({
          name: `blame of ${linesPerFile} lines, against bare node`,
          ours,
          floor: bareNode,
          runs,
        }),
      ];
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
}
