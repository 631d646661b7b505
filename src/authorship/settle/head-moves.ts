import type { Git } from "../../git/git.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import { type CommitHeader, readCommitHeader } from "../../git/objects/commits.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import type { Base } from "../../journal/layout.ts";
import type { Files } from "../../system/files/files.ts";
import { readCommitsMadeHere } from "./head-reflog.ts";

/** What became of HEAD between two looks, as far as the commits themselves tell. */
export type HeadMove =
  /** New commits on top, oldest first. */
  | { readonly kind: "advanced"; readonly commits: readonly Oid[] }
  /** The commit was replaced by one with the same parents: an amend. */
  | { readonly kind: "replaced"; readonly from: Oid; readonly commit: Oid }
  /**
   * Elsewhere: another branch, a reset, a rebase. Of the commits there only those that were made in this worktree can
   * hold what was pending; oldest first.
   */
  | { readonly kind: "moved"; readonly commits: readonly Oid[] };

/** Above this many new commits only those that touch the pending paths are looked at. */
const maxUnfilteredCommits = 50;

/** @param paths what is pending: a long way is walked only along these. */
export async function classifyHeadMove(
  { git, reader, files }: { readonly git: Git; readonly reader: ObjectReader; readonly files: Files },
  move: { readonly from: Base; readonly to: Oid; readonly paths: readonly RepoPath[] },
): Promise<HeadMove> {
  const to = await readCommitHeader(reader, move.to);
  if (to === undefined) return { kind: "moved", commits: [] };
  const isDirectChild = move.from === "initial" ? to.parents.length === 0 : to.parents[0] === move.from;
  if (isDirectChild) return { kind: "advanced", commits: [move.to] };
  if (move.from !== "initial") {
    const from = await readCommitHeader(reader, move.from);
    if (from !== undefined && hasSameParents(from, to))
      return { kind: "replaced", from: move.from, commit: move.to };
    const fork = await findMergeBase(git, move.from, move.to);
    if (fork !== move.from) {
      const madeHere = readCommitsMadeHere(git.repository, files);
      const commits = madeHere.size === 0 ? [] : await listCommits(git, { ...move, from: fork ?? "initial" });
      return { kind: "moved", commits: commits.filter((commit) => madeHere.has(commit)) };
    }
  }
  return { kind: "advanced", commits: await listCommits(git, move) };
}

function hasSameParents(a: CommitHeader, b: CommitHeader): boolean {
  return (
    a.parents.length === b.parents.length && a.parents.every((parent, index) => parent === b.parents[index])
  );
}

async function findMergeBase(git: Git, a: Oid, b: Oid): Promise<Oid | undefined> {
  const result = await git.run(["merge-base", a, b], { okCodes: [0, 1, 128] });
  const oid = result.stdout.toString("latin1").trim();
  return isOid(oid) ? oid : undefined;
}

async function listCommits(
  git: Git,
  { from, to, paths }: { readonly from: Base; readonly to: Oid; readonly paths: readonly RepoPath[] },
): Promise<Oid[]> {
  const range = from === "initial" ? [to] : [to, `^${from}`];
  const count = Number(await git.text(["rev-list", "--count", "--first-parent", ...range]));
  const filter = count > maxUnfilteredCommits ? ["--", ...paths.map((path) => `:(literal)${path}`)] : [];
  const text = await git.text(["rev-list", "--first-parent", "--reverse", ...range, ...filter]);
  return text.split("\n").filter(isOid);
}
