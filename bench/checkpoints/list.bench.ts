import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { listCheckpointPlaces } from "../../src/checkpoints/query/read-checkpoints.ts";
import type { CheckpointRepository } from "../../test/support/checkpoint-repository.ts";
import { openCheckpointRepository } from "../../test/support/checkpoint-repository.ts";
import { hasRealCheckpoints, unpackRealCheckpoints } from "../../test/support/real-checkpoints.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { generateRepository } from "../support/generated-repository.ts";
import { measurePairs } from "../support/pairs.ts";
import { plainRead } from "../support/plain-read.ts";
import { keyframeProgram } from "../support/program.ts";

/**
 * `keyframe list` and `keyframe explain` from start to exit, against bare Node and two gits that read the same trees,
 * metadata and prompts.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  const runs = tiny ? 1 : 5;
  if (hasRealCheckpoints && !tiny) {
    const data = unpackRealCheckpoints();
    try {
      for (const name of ["auth-go", "skills"] as const)
        results.push(...(await measure(`of ${name}, real`, openCheckpointRepository(data.path(name)), runs)));
    } finally {
      data.remove();
    }
  }
  for (const count of tiny ? [5] : [590, 2500]) {
    const repository = await generateRepository(count, 1);
    try {
      results.push(...(await measure("generated", repository, runs)));
    } finally {
      repository.remove();
    }
  }
  return results;
}

async function measure(
  kind: string,
  { folder, git, stores }: CheckpointRepository,
  runs: number,
): Promise<BenchResult[]> {
  const places = await listCheckpointPlaces(stores);
  const oids = [...places.values()].flatMap(([tree]) =>
    [...tree.files].filter(([path]) => /(?:metadata\.json|prompt\.txt)$/.test(path)).map(([, oid]) => oid),
  );
  const list = join(git.repository.commonDir, "bench-objects");
  writeFileSync(list, [...new Set(oids)].map((oid) => `${oid}\n`).join(""));
  const [first] = places.keys();
  if (first === undefined) throw new Error("nothing to explain");
  const pair = (what: string, ...args: string[]) =>
    measurePairs({
      name: `${what} ${places.size} checkpoints ${kind}, against a plain read`,
      ours: { program: process.execPath, args: [keyframeProgram, ...args], cwd: folder },
      floor: plainRead(folder, list),
      runs,
    });
  return [pair("list", "list"), pair("explain one of", "explain", first)];
}
