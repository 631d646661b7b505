import { sha256Hex } from "../../src/base/digest.ts";
import { applyMigration } from "../../src/checkpoints/migrate/migrate.ts";
import { readMigrationPlan } from "../../src/checkpoints/migrate/read-plan.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import type { CheckpointWrite } from "../../src/checkpoints/stores/store.ts";
import { makeCheckpointRepository } from "../../test/support/checkpoint-repository.ts";
import {
  checkpointWrite,
  generatedId,
  generatedStartMs,
  generateTranscript,
} from "../../test/support/generate-checkpoints.ts";
import type { BenchResult } from "../bench-result.ts";
import { peakMemoryBytes } from "./peak-memory.ts";

/**
 * v1 to v2. Sessions grow over eight checkpoints each, and each checkpoint holds a whole copy, as other tools write
 * them: the last of a session has about 300 KB.
 */
export async function run({ tiny }: { tiny: boolean }): Promise<BenchResult[]> {
  const count = tiny ? 16 : 2500;
  const turnsPerCheckpoint = tiny ? 2 : 20;
  const repository = makeCheckpointRepository();
  try {
    for (let from = 0; from < count; from += 100) {
      const writes = Array.from({ length: Math.min(100, count - from) }, (_, n) =>
        grown(from + n, turnsPerCheckpoint),
      );
      await repository.stores.v1.write(writes, {
        message: commitMessage("v1", "checkpoint"),
        nowSeconds: 1_770_000_000,
      });
    }
    const rawBytes = repository
      .sh("ls-tree", "-r", "-l", "entire/checkpoints/v1")
      .split("\n")
      .filter((line) => line.endsWith("full.jsonl"))
      .reduce((sum, line) => sum + Number(line.split(/\s+/)[3]), 0);
    const beforeBytes = peakMemoryBytes();
    const start = performance.now();
    const plan = await readMigrationPlan(repository.git, repository.stores, { to: "v2" });
    const { migrated } = await applyMigration(repository.git, repository.stores, plan, {
      nowSeconds: 1_770_000_000,
    });
    const firstMs = performance.now() - start;
    const trees = repository.sh("for-each-ref", "--format=%(refname) %(tree)", "refs/entire");
    const second = performance.now();
    const again = await readMigrationPlan(repository.git, repository.stores, { to: "v2" });
    const secondMs = performance.now() - second;
    if (migrated !== count || again.steps.length !== 0)
      throw new Error(`migrated ${migrated}, then ${again.steps.length}`);
    const resultHash = sha256Hex(trees).slice(0, 16);
    return [
      {
        name: `migrate ${count} checkpoints v1 to v2 (${Math.round(rawBytes / 1e6)} MB raw; peak before it ${Math.round(beforeBytes / 1e6)} MB)`,
        value: firstMs,
        unit: "ms",
        peakMemoryBytes: peakMemoryBytes(),
        resultHash,
      },
      { name: `migrate ${count} checkpoints again`, value: secondMs, unit: "ms", resultHash },
    ];
  } finally {
    repository.remove();
  }
}

function grown(n: number, turnsPerCheckpoint: number): CheckpointWrite {
  const session = Math.floor(n / 8);
  const round = n % 8;
  const transcript = generateTranscript(session, (round + 1) * turnsPerCheckpoint);
  const createdAt = new Date(generatedStartMs + n * 60_000).toISOString();
  const fields = round === 0 ? {} : { checkpoint_transcript_start: round * turnsPerCheckpoint * 4 };
  return checkpointWrite(generatedId(n), [
    { sessionId: `session-${session}`, createdAt, transcript, fields },
  ]);
}
