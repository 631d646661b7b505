import { parseRewrites } from "../authorship/rewritten-commits.ts";
import { settle } from "../authorship/settle.ts";
import { openGit } from "../git/git.ts";
import type { Repository } from "../git/repository.ts";
import { nodeClock } from "../system/clock.ts";
import { nodeFiles } from "../system/files.ts";
import { nodeProcessTable } from "../system/process-identity.ts";
import { nodeProcesses } from "../system/processes.ts";
import { nodeRandom } from "../system/random.ts";

/** What a git hook does. `rewritten` is what git tells its `post-rewrite` hook. */
export async function settleInHook(repository: Repository, rewritten: string): Promise<void> {
  await settle(
    openGit(repository, nodeProcesses),
    {
      files: nodeFiles,
      clock: nodeClock,
      random: nodeRandom,
      processTable: nodeProcessTable,
      processes: nodeProcesses,
    },
    { rewrites: parseRewrites(rewritten) },
  );
}
