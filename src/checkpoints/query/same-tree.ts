import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";

/** Commits that are looked at, the newest first, wherever a ref or a reflog holds them. */
const maxCommits = 20_000;
const maxTwins = 20;

interface CommitTree {
  readonly oid: Oid;
  readonly tree: string;
  readonly parent: Oid | undefined;
}

/**
 * The commits that make the same change as this one: equal trees are proof. For each commit that ends in its tree, that
 * one and those below it down to the tree that this commit began with, newest first; only the one where none of its
 * ancestors has that tree and the merge base is not known either. A squash by a server leaves such commits behind, and
 * so does a rewritten message.
 */
export async function findTwins(git: Git, commit: Oid): Promise<Oid[][]> {
  const commits = await readTrees(git);
  const own = commits.get(commit) ?? (await readTrees(git, ["--max-count=1", commit])).get(commit);
  if (own === undefined) return [];
  const parent = own.parent === undefined ? undefined : await treeOf(git, commits, own.parent);
  if (parent === own.tree) return [];
  const twins: Oid[][] = [];
  for (const twin of commits.values()) {
    if (twin.oid === commit || twin.tree !== own.tree || twins.length === maxTwins) continue;
    if (await isInOneHistory(git, twin.oid, commit)) continue;
    twins.push(rangeDownTo(commits, twin, parent) ?? (await rangeFrom(git, twin.oid, own.parent)));
  }
  return twins;
}

/** One that came after the other ends in the same tree by undoing or repeating, not by being the same change. */
async function isInOneHistory(git: Git, a: Oid, b: Oid): Promise<boolean> {
  const { stdout } = await git.run(["merge-base", a, b], { okCodes: [0, 1, 128] });
  return [a, b].some((oid) => oid === stdout.toString("latin1").trim());
}

function rangeDownTo(
  commits: ReadonlyMap<Oid, CommitTree>,
  twin: CommitTree,
  tree: string | undefined,
): Oid[] | undefined {
  const range: Oid[] = [];
  for (let at: CommitTree | undefined = twin; at !== undefined && range.length < maxCommits; ) {
    if (at.tree === tree) return range;
    range.push(at.oid);
    if (at.parent === undefined) return tree === undefined ? range : undefined;
    at = commits.get(at.parent);
  }
  return undefined;
}

/** What the twin has and the commit's parent has not. */
async function rangeFrom(git: Git, twin: Oid, parent: Oid | undefined): Promise<Oid[]> {
  if (parent === undefined) return [twin];
  const args = ["rev-list", `--max-count=${maxCommits}`, twin, `^${parent}`];
  const { stdout } = await git.run(args, { okCodes: [0, 128] });
  return stdout.toString("latin1").split("\n").filter(isOid);
}

async function treeOf(
  git: Git,
  commits: ReadonlyMap<Oid, CommitTree>,
  oid: Oid,
): Promise<string | undefined> {
  return (commits.get(oid) ?? (await readTrees(git, ["--max-count=1", oid])).get(oid))?.tree;
}

async function readTrees(git: Git, revisions?: readonly string[]): Promise<Map<Oid, CommitTree>> {
  const from = revisions ?? [
    `--max-count=${maxCommits}`,
    "--exclude=refs/heads/entire/*",
    "--exclude=refs/notes/*",
    "--exclude=refs/entire/*",
    "--exclude=refs/keyframe/*",
    "--all",
    "--reflog",
  ];
  const { stdout } = await git.run(["log", "--no-show-signature", "--format=%H %T %P", ...from, "--"], {
    okCodes: [0, 128],
  });
  const commits = new Map<Oid, CommitTree>();
  for (const line of stdout.toString("latin1").split("\n")) {
    const [oid = "", tree = "", parent = ""] = line.split(" ");
    if (isOid(oid)) commits.set(oid, { oid, tree, parent: isOid(parent) ? parent : undefined });
  }
  return commits;
}
