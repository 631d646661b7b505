import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import {
  type CheckpointRepository,
  makeCheckpointRepository,
} from "../../test/support/checkpoint-repository.ts";
import { generatedCheckpoint } from "../../test/support/generate-checkpoints.ts";

/** A repository with so many checkpoints in its v1 store, each of a session of its own, packed. */
export async function generateRepository(count: number, turns: number): Promise<CheckpointRepository> {
  const repository = makeCheckpointRepository();
  const writes = Array.from({ length: count }, (_, n) => generatedCheckpoint(n, turns));
  await repository.stores.v1.write(writes, {
    message: commitMessage("v1", "checkpoint"),
    nowSeconds: 1_770_000_000,
  });
  repository.sh("gc", "-q");
  return repository;
}
