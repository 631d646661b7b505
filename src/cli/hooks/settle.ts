import { parseRewrites } from "../../authorship/settle/rewritten-commits.ts";
import { openGit } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { settleCommits } from "../../workflows/settle-and-finish.ts";

/** What a git hook does. `rewritten` is what git tells its `post-rewrite` hook. */
export async function settleInHook(
  repository: Repository,
  machine: Machine,
  rewritten: string,
): Promise<void> {
  const git = openGit(repository, machine.processes);
  await settleCommits(git, machine, { rewrites: parseRewrites(rewritten) });
}
