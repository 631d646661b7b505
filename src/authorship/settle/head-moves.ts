import type { Git } from "../../git/git.ts";
import { isNullOid, isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import { type CommitHeader, readCommitHeader } from "../../git/objects/commits.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import type { BaseCommit } from "../../journal/layout.ts";
import type { Files } from "../../system/files/files.ts";
import { readArrivals, readCommitsMadeHere } from "./head-reflog.ts";

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
/** Moves of HEAD to older commits that are looked at, and commits of each. */
const maxArrivals = 30;
const maxArrived = 2000;

/** @param paths what is pending: a long way is walked only along these. */
export async function classifyHeadMove(
  { git, reader, files }: { readonly git: Git; readonly reader: ObjectReader; readonly files: Files },
  move: {
    readonly from: BaseCommit;
    readonly to: Oid;
    readonly paths: readonly RepoPath[];
    /** When the first of it was recorded, milliseconds since 1970; 0 if that is not known. */
    readonly sinceMs: number;
  },
): Promise<HeadMove> {
  const to = await readCommitHeader(reader, move.to);
  if (to === undefined) return { kind: "moved", commits: [] };
  const isDirectChild = move.from === "initial" ? to.parents.length === 0 : to.parents[0] === move.from;
  if (isDirectChild) return { kind: "advanced", commits: [move.to] };
  if (move.from !== "initial") {
    const from = await readCommitHeader(reader, move.from);
    // a branch beside this one has the same parents too, but was there already
    const isSwitch = readArrivals(git.repository, files).some(
      (arrival) => arrival.from === move.from && arrival.to === move.to,
    );
    if (from !== undefined && !isSwitch && hasSameParents(from, to))
      return { kind: "replaced", from: move.from, commit: move.to };
    const fork = await findMergeBase(git, move.from, move.to);
    if (fork !== move.from) {
      const madeHere = readCommitsMadeHere(git.repository, files, move.sinceMs);
      const commits = madeHere.size === 0 ? [] : await listCommits(git, { ...move, from: fork ?? "initial" });
      return { kind: "moved", commits: commits.filter((commit) => madeHere.has(commit)) };
    }
  }
  const arrived = await listArrived(git, files);
  const madeHere = readCommitsMadeHere(git.repository, files, move.sinceMs);
  const commits = await listCommits(git, move);
  return { kind: "advanced", commits: commits.filter((oid) => madeHere.has(oid) || !arrived.has(oid)) };
}

/** Commits that HEAD only moved over: made elsewhere, so nothing that was pending here is in them. */
async function listArrived(git: Git, files: Files): Promise<ReadonlySet<Oid>> {
  const arrived = new Set<Oid>();
  for (const { from, to } of readArrivals(git.repository, files).slice(-maxArrivals)) {
    const since = isNullOid(from) ? [] : [`^${from}`];
    const args = ["rev-list", "--parents", `--max-count=${maxArrived}`, to, ...since];
    const result = await git.run(args, { okCodes: [0, 128] });
    for (const line of result.stdout.toString("latin1").split("\n")) {
      const [commit = "", first, second] = line.split(" ");
      const isMadeByMerge = commit === to && first === from && second !== undefined;
      if (isOid(commit) && !isMadeByMerge) arrived.add(commit);
    }
  }
  return arrived;
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
  { from, to, paths }: { readonly from: BaseCommit; readonly to: Oid; readonly paths: readonly RepoPath[] },
): Promise<Oid[]> {
  const range = from === "initial" ? [to] : [to, `^${from}`];
  const count = Number(await git.text(["rev-list", "--count", "--first-parent", ...range]));
  const filter = count > maxUnfilteredCommits ? ["--", ...paths.map((path) => `:(literal)${path}`)] : [];
  const text = await git.text(["rev-list", "--first-parent", "--reverse", ...range, ...filter]);
  return text.split("\n").filter(isOid);
}
