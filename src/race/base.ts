import { KeyframeError } from "../base/errors.ts";
import { keepMomentOwners } from "../checkpoints/capture/moment-owners.ts";
import { recordSnapshot, withWorkTreeIndex } from "../checkpoints/capture/turn-snapshots.ts";
import type { Git } from "../git/git.ts";
import { isOid } from "../git/ids.ts";
import { updateRefs } from "../git/refs/refs.ts";
import { readHeadFromFiles } from "../git/repository.ts";
import { readIndexTree } from "../git/worktree/index-tree.ts";
import { readBaseCommit } from "../journal/base-commit.ts";
import type { LockDeps } from "../system/locks/lock-file.ts";
import type { Processes } from "../system/process/processes.ts";
import type { Moment } from "../timeline/moment.ts";
import { type RaceBase, raceRef } from "./race-record.ts";

export interface BaseDeps extends LockDeps {
  readonly processes: Processes;
}

/**
 * Remembers the working copy (staged, unstaged and untracked) for the lanes of a race. The user's index, files, HEAD and
 * configuration stay as they are. @throws KeyframeError `refused` before the first commit and during a merge
 */
export async function takeRaceBase(git: Git, deps: BaseDeps, id: string): Promise<RaceBase> {
  const { repository } = git;
  const head = readBaseCommit(repository, deps.files, deps.processes);
  if (!isOid(head)) {
    throw new KeyframeError("refused", "a race needs a commit to begin from", {
      hint: "make a first commit",
    });
  }
  const branch = readHeadFromFiles(repository, deps.files)?.ref ?? (await symbolicHead(git));
  return withWorkTreeIndex(git, deps, async (index) => {
    const indexTree = await readIndexTree(git, deps.files);
    const state = await index.takeTree();
    const facts = {
      version: 1,
      kind: "race-base",
      race: id,
      head,
      at: new Date(deps.clock.nowMs()).toISOString(),
    };
    const commit = await recordSnapshot(git, deps, {
      ref: raceRef(id, "base"),
      state,
      facts,
      parents: [head],
    });
    const owners = keepMomentOwners(repository, deps.files);
    return { head, ...(branch === undefined ? {} : { branch }), commit, tree: state.tree, indexTree, owners };
  });
}

/**
 * The base of a race that begins at an earlier moment: its files and the owners that were pending then, detached at the
 * commit that HEAD was at. @throws KeyframeError `refused` for a moment before the first commit
 */
export async function takeMomentBase(git: Git, moment: Moment, id: string): Promise<RaceBase> {
  const { base: head, commit, owners = "" } = moment;
  if (head === "initial")
    throw new KeyframeError("refused", `moment ${moment.id} has no commit to begin from`, {
      hint: "make a first commit, then race from a later moment",
    });
  const tree = await git.text(["rev-parse", "--verify", `${commit}^{tree}`]);
  const indexTree = await git.text(["rev-parse", "--verify", `${head}^{tree}`]);
  if (!isOid(tree) || !isOid(indexTree))
    throw new KeyframeError("not-found", `moment ${moment.id} has no files`);
  const ref = raceRef(id, "base");
  await updateRefs(git, [{ ref, next: commit, expected: undefined }], "keyframe: race base");
  const branch = await symbolicHead(git);
  return { head, ...(branch === undefined ? {} : { branch }), commit, tree, indexTree, owners };
}

async function symbolicHead(git: Git): Promise<string | undefined> {
  const result = await git.run(["symbolic-ref", "-q", "HEAD"], { okCodes: [0, 1] });
  return result.stdout.toString("utf8").trim() || undefined;
}
