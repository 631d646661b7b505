import type { CommitDeps } from "../checkpoints/prepare-commit.ts";
import { nodeClock } from "../system/clock.ts";
import { nodeFiles } from "../system/files.ts";
import { nodeProcessTable } from "../system/process-identity.ts";
import { nodeProcesses } from "../system/processes.ts";
import { nodeRandom } from "../system/random.ts";
import { createRedactor } from "../transcripts/redaction.ts";

/** What a hook may touch, once it does more than record. */
export function hookDeps(): CommitDeps {
  return {
    files: nodeFiles,
    clock: nodeClock,
    random: nodeRandom,
    processTable: nodeProcessTable,
    processes: nodeProcesses,
    redactor: createRedactor(),
  };
}
