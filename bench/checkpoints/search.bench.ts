import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/digest.ts";
import { searchCheckpoints } from "../../src/checkpoints/query/search/search.ts";
import { openSearchIndex } from "../../src/checkpoints/query/search/search-index.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import {
  type CheckpointRepository,
  makeCheckpointRepository,
  openCheckpointRepository,
} from "../../test/support/checkpoint-repository.ts";
import { generatedCheckpoint } from "../../test/support/generate-checkpoints.ts";
import { hasRealCheckpoints, unpackRealCheckpoints } from "../../test/support/real-checkpoints.ts";
import type { BenchResult } from "../bench-result.ts";

const ref = "entire/checkpoints/v1";

/** The first search of a repository, which indexes what it reads, against git reading all transcripts of the branch. */
export async function run({ tiny }: { tiny: boolean }): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  if (hasRealCheckpoints && !tiny) {
    const data = unpackRealCheckpoints();
    try {
      for (const name of ["auth-go", "skills"] as const)
        results.push(...(await measure(`real, ${name}`, openCheckpointRepository(data.path(name)))));
    } finally {
      data.remove();
    }
  }
  const count = tiny ? 5 : 590;
  const repository = makeCheckpointRepository();
  try {
    const writes = Array.from({ length: count }, (_, n) => generatedCheckpoint(n, 1));
    await repository.stores.v1.write(writes, {
      message: commitMessage("v1", "checkpoint"),
      nowSeconds: 1_770_000_000,
    });
    repository.sh("gc", "-q");
    results.push(...(await measure(`${count} generated`, repository)));
  } finally {
    repository.remove();
  }
  return results;
}

async function measure(name: string, { folder }: CheckpointRepository): Promise<BenchResult[]> {
  const index = join(folder, "bench-index");
  let hits = 0;
  const search = async () => {
    const { git, stores } = openCheckpointRepository(folder);
    const opened = openSearchIndex(nodeMachine.files, index);
    ({
      hits: { length: hits },
    } = await searchCheckpoints(git, stores, opened, { words: ["error"] }));
  };
  const floors: number[] = [];
  const firsts: number[] = [];
  const agains: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    floors.push(await timed(() => readAll(folder)));
    rmSync(index, { recursive: true, force: true });
    firsts.push(await timed(search));
    agains.push(await timed(search));
  }
  rmSync(index, { recursive: true, force: true });
  const floor = Math.min(...floors);
  const resultHash = sha256Hex(`${hits}`).slice(0, 16);
  const row = (what: string, value: number) => ({
    name: `${what}, ${name}, over reading what it indexes`,
    value,
    floor,
    ratio: value / floor,
    unit: "ms",
    resultHash,
  });
  return [row("first search", Math.min(...firsts)), row("again", Math.min(...agains))];
}

/** Prompts, metadata and each session's last transcript. */
function readAll(folder: string): void {
  const git = (args: string[], input?: string) =>
    execFileSync("git", ["-C", folder, ...args], {
      maxBuffer: 1 << 30,
      ...(input === undefined ? {} : { input }),
    });
  const names = git(["ls-tree", "-r", "-z", ref]).toString().split("\0");
  const wanted = names
    .filter((line) => /(?:metadata\.json|prompt\.txt|full\.jsonl(?:\.\d+)?)$/.test(line))
    .map((line) => line.slice(12, line.indexOf("\t")));
  git(["cat-file", "--batch", "--buffer"], `${[...new Set(wanted)].join("\n")}\n`);
}

async function timed(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
