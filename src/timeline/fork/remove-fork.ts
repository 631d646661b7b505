import { KeyframeError } from "../../base/errors.ts";
import { withWorkTreeIndex } from "../../checkpoints/capture/turn-snapshots.ts";
import { safetyRefPrefix } from "../../checkpoints/rewind/rewind-record.ts";
import { type Git, openGit } from "../../git/git.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { findRepository } from "../../git/repository.ts";
import type { ForkDeps } from "./fork.ts";
import { type ForkRecord, readFork, removeForkRecord } from "./fork-record.ts";

export interface RemoveForkPlan {
  readonly fork: ForkRecord;
  readonly hasWorktree: boolean;
  readonly hasBranch: boolean;
  /** Copies of conversations that nobody has continued. */
  readonly transcripts: readonly string[];
  /** Work that exists nowhere else: why the removal needs to be forced. */
  readonly wouldLose: readonly string[];
}

/** What removing a fork does. @throws KeyframeError `not-found` */
export async function planRemoveFork(git: Git, deps: ForkDeps, name: string): Promise<RemoveForkPlan> {
  const fork = readFork(git.repository, deps.files, name);
  if (fork === undefined) {
    throw new KeyframeError("not-found", `no fork named "${name.slice(0, 80)}"`, {
      hint: "see `keyframe fork --list`",
    });
  }
  const hasWorktree = deps.files.statIfExists(fork.path) !== undefined;
  const hasBranch = (await resolveRevision(git, fork.branch)) !== undefined;
  const wouldLose: string[] = [];
  // one that was cut off holds nothing that its moment does not
  if (fork.state === "done" && hasWorktree && (await hasNewWork(git, deps, fork)))
    wouldLose.push(`${fork.path} has uncommitted changes`);
  const commits = hasBranch ? await countOwnCommits(git, fork) : 0;
  if (commits > 0)
    wouldLose.push(
      `${fork.branch} has ${commits} ${commits === 1 ? "commit" : "commits"} that no other branch has`,
    );
  const transcripts = fork.sessions
    .filter(
      ({ transcriptPath, sizeBytes }) => deps.files.statIfExists(transcriptPath)?.sizeBytes === sizeBytes,
    )
    .map(({ transcriptPath }) => transcriptPath);
  return { fork, hasWorktree, hasBranch, transcripts, wouldLose };
}

/** Removes a fork. @throws KeyframeError `refused` if work would be lost and `force` is false */
export async function removeFork(
  git: Git,
  deps: ForkDeps,
  { plan, force }: { readonly plan: RemoveForkPlan; readonly force: boolean },
): Promise<void> {
  const { fork, hasWorktree, hasBranch, transcripts, wouldLose } = plan;
  if (wouldLose.length > 0 && !force) {
    throw new KeyframeError("refused", `fork ${fork.name} holds work: ${wouldLose.join("; ")}`, {
      hint: "commit and merge it, or remove it all the same with --force",
    });
  }
  if (hasWorktree) {
    await git.run(["worktree", "remove", "--force", "--force", fork.path], { okCodes: [0, 128] });
    deps.files.removeTree(fork.path);
  }
  await git.run(["worktree", "prune"]);
  if (hasBranch) await git.run(["update-ref", "-d", fork.branch]);
  for (const path of transcripts) deps.files.remove(path);
  removeForkRecord(git.repository, deps.files, fork.name);
}

/** True if the files are no longer those of the moment. */
async function hasNewWork(git: Git, deps: ForkDeps, { path, moment }: ForkRecord): Promise<boolean> {
  const repository = findRepository(path, deps);
  if (repository === undefined || repository.commonDir !== git.repository.commonDir) return false;
  const there = openGit(repository, deps.processes, deps.env);
  const status = await there.text([
    "status",
    "--porcelain",
    "--untracked-files=all",
    "--ignore-submodules=all",
  ]);
  if (status === "") return false;
  const tree = await resolveRevision(git, `${moment}^{tree}`);
  return (await withWorkTreeIndex(there, deps, (index) => index.takeTree())).tree !== tree;
}

/** Commits of the fork's branch that no other branch, remote branch or tag holds. */
async function countOwnCommits(git: Git, { branch }: ForkRecord): Promise<number> {
  // HEAD of the fork's own worktree goes with it, and what a rewind could be taken back with is forgotten some day
  const others = [`--exclude=${branch}`, `--exclude=${safetyRefPrefix}*`, "--all"];
  const args = ["rev-list", "--count", "--single-worktree", branch, "--not", ...others];
  return Number(await git.text(args));
}
