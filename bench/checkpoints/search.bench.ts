import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { indexCheckpoints, latestBySession } from "../../src/checkpoints/query/search/search.ts";
import { openSearchIndex, searchFolder } from "../../src/checkpoints/query/search/search-index.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import {
  type CheckpointRepository,
  openCheckpointRepository,
} from "../../test/support/checkpoint-repository.ts";
import { hasRealCheckpoints, unpackRealCheckpoints } from "../../test/support/real-checkpoints.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { generateRepository } from "../support/generated-repository.ts";
import { measurePairs } from "../support/pairs.ts";
import { plainRead } from "../support/plain-read.ts";
import { keyframeProgram } from "../support/program.ts";

/**
 * `keyframe search` from start to exit, the first time, which indexes what it reads, and again; against bare Node and two
 * gits that read the same objects: trees, metadata, prompts and the last transcript of each session.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  if (hasRealCheckpoints && !tiny) {
    const data = unpackRealCheckpoints();
    try {
      for (const name of ["auth-go", "skills"] as const)
        results.push(...(await measure(`${name}, real`, openCheckpointRepository(data.path(name)), 5)));
    } finally {
      data.remove();
    }
  }
  for (const turns of tiny ? [1] : [1, 30]) {
    const repository = await generateRepository(tiny ? 5 : 590, turns);
    try {
      const name = `${tiny ? 5 : 590} generated of ${turns} turns`;
      results.push(...(await measure(name, repository, tiny ? 1 : 5)));
    } finally {
      repository.remove();
    }
  }
  return results;
}

async function measure(
  name: string,
  { folder, git, stores }: CheckpointRepository,
  runs: number,
): Promise<BenchResult[]> {
  const index = searchFolder(git.repository.commonDir);
  const { versions } = await indexCheckpoints(git, stores, {
    index: openSearchIndex(nodeMachine.files, index),
  });
  const small = versions
    .flatMap(({ session: { files } }) => [files.metadata ?? [], files.prompt ?? []])
    .flat();
  const transcripts = [...latestBySession(versions).values()].flatMap(
    ({ session }) => session.files.transcript,
  );
  const list = join(git.repository.commonDir, "bench-objects");
  writeFileSync(list, [...new Set([...small, ...transcripts])].map((oid) => `${oid}\n`).join(""));
  const pair = {
    ours: { program: process.execPath, args: [keyframeProgram, "search", "error"], cwd: folder },
    floor: plainRead(folder, list),
    runs,
  };
  return [
    measurePairs({
      name: `first search of ${name}, against a plain read`,
      ...pair,
      before: () => rmSync(index, { recursive: true, force: true }),
    }),
    measurePairs({ name: `search again of ${name}, against a plain read`, ...pair }),
  ];
}
