import { parseRewrites } from "../../authorship/settle/rewritten-commits.ts";
import { openGit } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { settleCommits } from "../../workflows/settle-and-finish.ts";

/** Which of git's hooks this is (undefined: an agent's), and what git tells its `post-rewrite` hook. */
export interface SettleOccasion {
  readonly hook: string | undefined;
  readonly rewritten: string;
}

/** What a git hook does. */
export async function settleInHook(
  repository: Repository,
  machine: Machine,
  { hook, rewritten }: SettleOccasion,
): Promise<void> {
  const git = openGit(repository, machine.processes);
  const options = { rewrites: parseRewrites(rewritten), isCommitHook: hook === "post-commit" };
  await settleCommits(git, machine, options);
}
