import { parseRewrites } from "../../authorship/settle/rewritten-commits.ts";
import { settle } from "../../authorship/settle/settle.ts";
import { finishCommits } from "../../checkpoints/commit/finish-commit.ts";
import { openGit } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { hookDeps } from "./hook-deps.ts";

/** What a git hook does. `rewritten` is what git tells its `post-rewrite` hook. */
export async function settleInHook(
  repository: Repository,
  machine: Machine,
  rewritten: string,
): Promise<void> {
  const git = openGit(repository, machine.processes);
  await machine.trace.span("settle", () => settle(git, machine, { rewrites: parseRewrites(rewritten) }));
  // only storing asks for settings: lines find their owners even where these are damaged
  const deps = hookDeps(repository, machine);
  await deps.trace.span("checkpoints", () => finishCommits(git, deps));
}
