import { join } from "node:path";
import { readMomentOwners } from "../checkpoints/capture/moment-owners.ts";
import { type Git, openGit } from "../git/git.ts";
import { mustFindRepository } from "../git/repository.ts";
import { checkOutMoment, type ForkDeps, restoreMomentOwners } from "../timeline/fork/fork.ts";
import { copyPersonalPaths, listPersonalPaths } from "../timeline/fork/personal-files.ts";
import type { RaceRecord } from "./race-record.ts";

/**
 * Makes the worktree of a lane: detached at the base's HEAD, with index and files as they were in the user's. Personal
 * settings of agents and what `.worktreeinclude` names come along. Returns git in the worktree.
 */
export async function makeLaneWorktree(
  git: Git,
  deps: ForkDeps,
  { race, name }: { readonly race: RaceRecord; readonly name: string },
): Promise<Git> {
  const { base, directory } = race;
  const path = join(directory, name);
  deps.files.makeFolder(directory, { mode: 0o700 });
  const args = ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--no-checkout", "--detach"];
  await git.run([...args, path, base.head]);
  const lane = openGit(mustFindRepository(path, deps), deps.processes, deps.env);
  await checkOutMoment(lane, deps, { tree: base.tree, indexTree: base.indexTree });
  copyPersonalPaths(deps, await listPersonalPaths(git, deps.files), {
    from: git.repository.workTree ?? "",
    to: path,
  });
  const heads = readMomentOwners(git.repository, deps.files, base.owners);
  await restoreMomentOwners(git, deps, { fork: lane, commit: base.commit, base: base.head, heads });
  return lane;
}

/** Takes a lane's worktree away: a rename at once, the removal of its files by the caller's `later`. */
export async function dropLaneWorktree(
  git: Git,
  deps: ForkDeps,
  { path, later }: { readonly path: string; readonly later: (trash: string) => void },
): Promise<void> {
  const trash = `${path}.removed-${deps.clock.nowMs()}`;
  if (deps.files.statIfExists(path) !== undefined) {
    deps.files.rename(path, trash);
    later(trash);
  }
  await git.run(["worktree", "prune"]);
}
