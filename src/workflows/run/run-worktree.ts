import { join, relative } from "node:path";
import { type MarkDeps, takeMark } from "../../checkpoints/capture/marks.ts";
import type { Git } from "../../git/git.ts";
import { listDirtyPaths } from "../../git/remote/sync.ts";
import { mustFindRepository, type Repository } from "../../git/repository.ts";
import { defaultForkPath, type Fork, type ForkDeps, forkMoment } from "../../timeline/fork/fork.ts";
import { planRemoveFork, removeFork } from "../../timeline/fork/remove-fork.ts";
import { markMoment } from "../../timeline/moments/list-moments.ts";

export interface RunWorktree {
  readonly fork: Fork;
  /** Where HEAD was. */
  readonly base: string;
  readonly repository: Repository;
  /** The directory of the worktree that is the present one. */
  readonly cwd: string;
}

/**
 * A worktree of its own for a program: the present working copy with its pending owners, on a branch `keyframe/<name>`.
 * A mark says where it began. Conversations stay where they are: the program begins one.
 */
export async function makeRunWorktree(
  git: Git,
  deps: ForkDeps & MarkDeps,
  { name, cwd }: { readonly name: string; readonly cwd: string },
): Promise<RunWorktree> {
  const mark = await takeMark(git, deps, `before run ${name}`);
  const path = defaultForkPath(git, name);
  const fork = await forkMoment(git, deps, { ...markMoment(mark), sessions: [] }, { name, path });
  const top = git.repository.workTree ?? cwd;
  const within = join(
    path,
    relative(deps.files.realPathIfExists(top) ?? top, deps.files.realPathIfExists(cwd) ?? cwd),
  );
  const isThere = deps.files.statIfExists(within)?.kind === "folder";
  return { fork, base: mark.base, repository: mustFindRepository(path, deps), cwd: isThere ? within : path };
}

/** Takes the worktree of a program that did not start away again. */
export async function dropRunWorktree(git: Git, deps: ForkDeps, { fork }: RunWorktree): Promise<void> {
  await removeFork(git, deps, { plan: await planRemoveFork(git, deps, fork.name), force: true });
}

/** What a run left in its worktree. */
export interface RunWork {
  readonly commits: number;
  /** Paths that differ from the last commit. */
  readonly uncommitted: number;
}

export async function readRunWork(
  git: Git,
  deps: ForkDeps,
  { fork, base, repository }: RunWorktree,
): Promise<RunWork> {
  const counted = await git.text(["rev-list", "--count", fork.branch, "--not", base]);
  return { commits: Number(counted), uncommitted: listDirtyPaths(repository, deps).length };
}
