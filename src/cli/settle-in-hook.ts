import { parseRewrites } from "../authorship/rewritten-commits.ts";
import { settle } from "../authorship/settle.ts";
import { finishCommits } from "../checkpoints/finish-commit.ts";
import { openGit } from "../git/git.ts";
import type { Repository } from "../git/repository.ts";
import type { Machine } from "../system/machine.ts";
import { hookDeps } from "./hook-deps.ts";

/** What a git hook does. `rewritten` is what git tells its `post-rewrite` hook. */
export async function settleInHook(
  repository: Repository,
  machine: Machine,
  rewritten: string,
): Promise<void> {
  const deps = hookDeps(machine);
  const git = openGit(repository, deps.processes);
  await deps.trace.span("settle", () => settle(git, deps, { rewrites: parseRewrites(rewritten) }));
  await deps.trace.span("checkpoints", () => finishCommits(git, deps));
}
