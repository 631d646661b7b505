import { execFileSync } from "node:child_process";
import { sha256Hex } from "../../src/base/digest.ts";
import { explainCheckpoint } from "../../src/checkpoints/query/explain.ts";
import { listCheckpoints } from "../../src/checkpoints/query/list-checkpoints.ts";
import { listCheckpointPlaces } from "../../src/checkpoints/query/read-checkpoints.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import {
  type CheckpointRepository,
  makeCheckpointRepository,
  openCheckpointRepository,
} from "../../test/support/checkpoint-repository.ts";
import { generatedCheckpoint } from "../../test/support/generate-checkpoints.ts";
import { hasRealCheckpoints, unpackRealCheckpoints } from "../../test/support/real-checkpoints.ts";
import type { BenchResult } from "../bench-result.ts";

/** `list` and `explain` against plain git reading the same trees, metadata and prompts. */
export async function run({ tiny }: { tiny: boolean }): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  if (hasRealCheckpoints && !tiny) {
    const data = unpackRealCheckpoints();
    try {
      results.push(...(await measure("real", openCheckpointRepository(data.path("auth-go")), 27)));
    } finally {
      data.remove();
    }
  }
  for (const count of tiny ? [5] : [590, 2500]) {
    const repository = makeCheckpointRepository();
    try {
      const writes = Array.from({ length: count }, (_, n) => generatedCheckpoint(n, 1));
      await repository.stores.v1.write(writes, {
        message: commitMessage("v1", "checkpoint"),
        nowSeconds: 1_770_000_000,
      });
      repository.sh("gc", "-q");
      results.push(...(await measure("generated", repository, count)));
    } finally {
      repository.remove();
    }
  }
  return results;
}

async function measure(
  kind: string,
  repository: CheckpointRepository,
  count: number,
): Promise<BenchResult[]> {
  const ref = "entire/checkpoints/v1";
  const floorMs = await best(() => {
    const git = (args: string[], input?: string) =>
      execFileSync("git", ["-C", repository.folder, ...args], {
        maxBuffer: 1 << 30,
        ...(input === undefined ? {} : { input }),
      });
    const names = git(["ls-tree", "-r", "-z", ref]).toString().split("\0");
    const wanted = names
      .filter((line) => /(?:metadata\.json|prompt\.txt)$/.test(line))
      .map((line) => line.slice(12, line.indexOf("\t")));
    git(["cat-file", "--batch", "--buffer"], `${wanted.join("\n")}\n`);
  });
  let listed: string[] = [];
  const listMs = await best(async () => {
    listed = [];
    const { git, stores } = openCheckpointRepository(repository.folder);
    for await (const { id, prompt } of listCheckpoints(git, stores)) listed.push(`${id} ${prompt}`);
  });
  const { git, stores } = repository;
  const [first] = await listCheckpointPlaces(stores);
  if (first === undefined) throw new Error("nothing to explain");
  let explained = "";
  const explainMs = await best(async () => {
    explained = JSON.stringify((await explainCheckpoint(git, ...first)).explanation);
  });
  const row = (name: string, value: number, result: string): BenchResult => ({
    name: `${name} ${count} ${kind} checkpoints`,
    value,
    unit: "ms",
    floor: floorMs,
    ratio: value / floorMs,
    resultHash: sha256Hex(result).slice(0, 16),
  });
  return [row("list", listMs, listed.join("\n")), row("explain one of", explainMs, explained)];
}

async function best(work: () => unknown): Promise<number> {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const start = performance.now();
    await work();
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  return bestMs;
}
