import { KeyframeError } from "../../base/errors.ts";
import { namedCheckpoints } from "../../checkpoints/record/trailers.ts";
import type { Git } from "../../git/git.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { type LaneStatus, type RaceRecord, titleOfRace } from "../race-record.ts";
import { commitTree, mergeChange, type ReplayedCommit, replayOnto, treeOf } from "./replay.ts";

export interface AdoptRequest {
  readonly race: RaceRecord;
  readonly lane: LaneStatus;
  readonly as: "commits" | "squash";
  /** Only changes of these paths; a directory stands for all below it. */
  readonly only: readonly string[];
}

export interface AdoptionPlan {
  readonly branch: string;
  readonly before: Oid;
  readonly after: Oid;
  /** True where the branch simply moves on to the lane's own commits. */
  readonly isFastForward: boolean;
  readonly commits: readonly ReplayedCommit[];
  /** The files of the lane, or of the part that is adopted, on top of the race's base. */
  readonly laneTree: Oid;
}

/**
 * Makes the commits of an adoption, without moving a ref or touching a file. @throws KeyframeError `refused` where HEAD is
 * not on a branch, where nothing would be adopted, or where it would conflict
 */
export async function planAdoption(git: Git, request: AdoptRequest): Promise<AdoptionPlan> {
  const { race, lane } = request;
  if (lane.commit === undefined) {
    throw new KeyframeError("refused", `lane ${lane.name} changed nothing`, {
      hint: "see `keyframe race show`",
    });
  }
  const branch = (await git.run(["symbolic-ref", "-q", "HEAD"], { okCodes: [0, 1] })).stdout
    .toString("utf8")
    .trim();
  if (branch === "") {
    throw new KeyframeError("refused", "HEAD is not on a branch", {
      hint: "check out the branch to adopt into",
    });
  }
  const before = await resolveRevision(git, "HEAD");
  if (before === undefined) throw new KeyframeError("refused", "the branch has no commit");
  if (request.only.length > 0 || request.as === "squash")
    return planSquash(git, request, { branch, before, commit: lane.commit });
  const list = await listLaneCommits(git, race.base.head, lane.commit);
  const isClean = race.base.tree === (await treeOf(git, race.base.head));
  const laneTree = await treeOf(git, lane.commit);
  if (isClean && before === race.base.head)
    return { branch, before, after: lane.commit, isFastForward: true, commits: [], laneTree };
  const steps = list.map((commit, place) => ({ commit, against: list[place - 1] ?? race.base.commit }));
  const { tip, commits } = await replayOnto(git, before, steps);
  mustChange(before, tip);
  return { branch, before, after: tip, isFastForward: false, commits, laneTree };
}

function mustChange(before: Oid, after: Oid): void {
  if (before === after) {
    throw new KeyframeError("refused", "the branch has these changes already", { hint: "nothing to adopt" });
  }
}

/** Oldest first. @throws KeyframeError `refused` for merges, which a replay cannot keep */
async function listLaneCommits(git: Git, from: Oid, to: Oid): Promise<Oid[]> {
  const text = await git.text(["rev-list", "--reverse", "--topo-order", "--parents", `${from}..${to}`]);
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [commit = "", ...parents] = line.split(" ");
      if (parents.length > 1) {
        throw new KeyframeError("refused", `commit ${commit.slice(0, 12)} of the lane is a merge`, {
          hint: "adopt it with --as squash",
        });
      }
      return commit as Oid;
    });
}

async function planSquash(
  git: Git,
  { race, lane, only }: AdoptRequest,
  target: { readonly branch: string; readonly before: Oid; readonly commit: Oid },
): Promise<AdoptionPlan> {
  const { branch, before } = target;
  const source =
    only.length === 0
      ? target.commit
      : await commitTree(git, {
          tree: await treeWithPaths(git, { from: race.base.commit, of: target.commit, only }),
          parents: [race.base.commit],
          message: "part of a lane",
        });
  const tree = await mergeChange(git, { onto: before, commit: source, against: race.base.commit });
  if (tree === (await treeOf(git, before))) mustChange(before, before);
  const list = (await git.text(["rev-list", `${race.base.head}..${target.commit}`]))
    .split("\n")
    .filter(Boolean) as Oid[];
  const message = await squashMessage(git, { race, lane: lane.name, commits: list });
  const after = await commitTree(git, { tree, parents: [before], message });
  const commits = list.map((from) => ({ from, to: after }));
  return { branch, before, after, isFastForward: false, commits, laneTree: await treeOf(git, source) };
}

/** Title from the prompt, and the checkpoints of every commit: their conversations are the reason for this one. */
async function squashMessage(
  git: Git,
  {
    race,
    lane,
    commits,
  }: { readonly race: RaceRecord; readonly lane: string; readonly commits: readonly Oid[] },
): Promise<string> {
  const texts = await Promise.all(
    commits.map((commit) => git.text(["show", "-s", "--no-show-signature", "--format=%B", commit])),
  );
  const ids = [...new Set(texts.reverse().flatMap(namedCheckpoints))];
  const trailers = ids.map((id) => `Entire-Checkpoint: ${id}\n`).join("");
  return `${titleOfRace(race)}\n\nLane ${lane} of race ${race.id}\n${trailers === "" ? "" : `\n${trailers}`}`;
}

/** A tree with some paths as another commit has them. */
async function treeWithPaths(
  git: Git,
  { from, of, only }: { readonly from: Oid; readonly of: Oid; readonly only: readonly string[] },
): Promise<Oid> {
  const args = [
    "diff-tree",
    "-r",
    "--raw",
    "-z",
    "--no-renames",
    "--abbrev=64",
    from,
    of,
    "--",
    ...only.map((path) => `:(literal)${path}`),
  ];
  const entries = (await git.run(args)).stdout.toString("utf8").split("\0");
  const changes: { readonly path: RepoPath; readonly mode: string; readonly oid: string }[] = [];
  for (let at = 0; at + 1 < entries.length; at += 2) {
    const [, mode = "", , oid = ""] = (entries[at] ?? "").split(" ");
    changes.push({ path: (entries[at + 1] ?? "") as RepoPath, mode, oid });
  }
  if (changes.length === 0) {
    throw new KeyframeError("refused", `the lane changed nothing at ${only.join(", ")}`, {
      hint: "see `keyframe race diff` for its paths",
    });
  }
  return writeTreeWith(git, await treeOf(git, from), changes);
}

export interface TreeChange {
  readonly path: RepoPath;
  /** `000000` removes the path. */
  readonly mode: string;
  readonly oid: string;
}

/** A tree with some entries changed, through an index of its own. */
export async function writeTreeWith(git: Git, tree: Oid, changes: readonly TreeChange[]): Promise<Oid> {
  const env = { GIT_INDEX_FILE: `${git.repository.gitDir}/keyframe/snapshot/adopt-index` };
  await git.run(["read-tree", tree], { env });
  const zero = "0".repeat(tree.length);
  const stdin = changes
    .map(({ path, mode, oid }) => `${/^0+$/.test(mode) ? `0 ${zero}` : `${mode} ${oid}`}\t${path}\0`)
    .join("");
  await git.run(["update-index", "-z", "--index-info"], { env, stdin });
  return (await git.text(["write-tree"], { env })) as Oid;
}
