import { chownSync } from "node:fs";
import { join, resolve } from "node:path";
import { sha256Hex } from "../../src/base/digest.ts";
import { createTestRepository } from "../../test/support/test-repository.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { median, runNode } from "../measure.ts";

/** Somebody who does not exist. */
const stranger = 64_001;

/**
 * What the checks at the border cost a hook or a command: the decision whether git would trust the repository, the first time
 * in a process, when nothing is compiled yet, and the search that comes to it. In a repository of the user's files decide; in
 * one of somebody else's, which `safe.directory` may allow, git is asked (as root only: others cannot make one).
 */
export function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const repository = createTestRepository();
  try {
    repository.commit("one");
    const rounds = tiny ? 2 : 40;
    const results = measure(repository, "of the user's", rounds);
    if (process.getuid?.() === 0) {
      for (const path of ["", ".git"]) chownSync(join(repository.folder, path), stranger, stranger);
      repository.git("config", "--global", "safe.directory", repository.folder);
      results.push(...measure(repository, "of another user's", rounds));
    }
    return Promise.resolve(results);
  } finally {
    repository.remove();
  }
}

function measure(
  { folder, env }: ReturnType<typeof createTestRepository>,
  what: string,
  rounds: number,
): BenchResult[] {
  const args = ["--import", resolve("scripts/typescript.mjs"), resolve("bench/hooks/border-program.ts")];
  const runs = Array.from({ length: rounds }, () =>
    runNode({ args, cwd: folder, env }).toString("utf8").trim().split(" "),
  );
  const kinds = new Set(runs.map(([, , kind]) => kind));
  const resultHash = sha256Hex([...kinds].join(" ")).slice(0, 12);
  return ["trust in a repository", "search for a repository"].map((row, place) => ({
    name: `${row} ${what}, the first in a process`,
    value: median(runs.map((each) => Number(each[place]))),
    unit: "ms",
    resultHash,
  }));
}
