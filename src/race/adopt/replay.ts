import { KeyframeError } from "../../base/errors.ts";
import { type Git, gitFailed } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";

export interface ReplayStep {
  /** The commit whose change is replayed. */
  readonly commit: Oid;
  /** What the change is measured against: the commit before, or the base of the race. */
  readonly against: Oid;
}

export interface ReplayedCommit {
  readonly from: Oid;
  readonly to: Oid;
}

/**
 * Replays changes onto a commit without a worktree; messages and authors stay. A change that the target has already is
 * left out. @throws KeyframeError `refused` with the paths in conflict; objects may have been written, no ref was moved
 */
export async function replayOnto(
  git: Git,
  target: Oid,
  steps: readonly ReplayStep[],
): Promise<{ readonly tip: Oid; readonly commits: readonly ReplayedCommit[] }> {
  let tip = target;
  const commits: ReplayedCommit[] = [];
  for (const { commit, against } of steps) {
    const tree = await mergeChange(git, { onto: tip, commit, against });
    if (tree === (await treeOf(git, tip))) continue;
    tip = await copyCommit(git, { commit, tree, parent: tip });
    commits.push({ from: commit, to: tip });
  }
  return { tip, commits };
}

/** The tree of `onto` with the change from `against` to `commit`. @throws KeyframeError `refused` */
export async function mergeChange(
  git: Git,
  { onto, commit, against }: { readonly onto: Oid; readonly commit: Oid; readonly against: Oid },
): Promise<Oid> {
  // git 2.39 takes the merge base from history only: three commits that say nothing else give it one
  const base = await plainCommit(git, await treeOf(git, against), []);
  const ours = await plainCommit(git, await treeOf(git, onto), [base]);
  const theirs = await plainCommit(git, await treeOf(git, commit), [base]);
  const args = ["merge-tree", "--write-tree", "--name-only", "-z", "--no-messages", ours, theirs];
  const result = await git.run(args, { okCodes: [0, 1] });
  const [tree = "", ...paths] = result.stdout.toString("utf8").split("\0");
  if (!isOid(tree)) throw gitFailed(args, result);
  if (result.code === 0) return tree;
  const conflicts = [...new Set(paths.filter(Boolean))];
  throw new KeyframeError("refused", `adopting would conflict in ${conflicts.slice(0, 10).join(", ")}`, {
    hint: "merge the lane's commit by hand, adopt a part of it with --only, or go back to where the race began",
  });
}

export async function treeOf(git: Git, commit: Oid): Promise<Oid> {
  const tree = await git.text(["rev-parse", "--verify", `${commit}^{tree}`]);
  if (isOid(tree)) return tree;
  throw new KeyframeError("not-here", `the files of commit ${commit} are not on this machine`);
}

async function plainCommit(git: Git, tree: Oid, parents: readonly Oid[]): Promise<Oid> {
  const who = { NAME: "Keyframe", EMAIL: "keyframe@localhost", DATE: "@0 +0000" };
  return commitTree(git, { tree, parents, who: { author: who, committer: who }, message: "merge base" });
}

interface Who {
  readonly NAME: string;
  readonly EMAIL: string;
  readonly DATE: string;
}

async function copyCommit(
  git: Git,
  { commit, tree, parent }: { readonly commit: Oid; readonly tree: Oid; readonly parent: Oid },
): Promise<Oid> {
  const text = await git.text([
    "show",
    "-s",
    "--no-show-signature",
    "--format=%an%x00%ae%x00%ad%x00%B",
    "--date=raw",
    commit,
  ]);
  const [NAME = "", EMAIL = "", DATE = "", message = ""] = text.split("\0");
  return commitTree(git, {
    tree,
    parents: [parent],
    who: { author: { NAME, EMAIL, DATE: `@${DATE}` } },
    message,
  });
}

/** Signing is left to the user: nobody may be there to give a passphrase. */
export async function commitTree(
  git: Git,
  commit: {
    readonly tree: Oid;
    readonly parents: readonly Oid[];
    /** The user's own identity where absent. */
    readonly who?: { readonly author: Who; readonly committer?: Who };
    readonly message: string;
  },
): Promise<Oid> {
  const env: NodeJS.ProcessEnv = {};
  for (const [role, who] of Object.entries(commit.who ?? {}))
    for (const [name, value] of Object.entries(who)) env[`GIT_${role.toUpperCase()}_${name}`] = value;
  const args = ["-c", "commit.gpgSign=false", "commit-tree", commit.tree];
  for (const parent of commit.parents) args.push("-p", parent);
  const result = await git.run([...args, "-F", "-"], { env, stdin: commit.message });
  const oid = result.stdout.toString("latin1").trim();
  if (!isOid(oid)) throw gitFailed(args, result);
  return oid;
}
