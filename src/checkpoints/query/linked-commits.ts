import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { workBranches, workRemoteBranches } from "../../git/refs/tips.ts";
import type { CheckpointId } from "../record/ids.ts";
import { namedCheckpoints } from "../record/trailers.ts";
import { readNotedLinks } from "./noted-links.ts";

/** A commit of the user that names checkpoints. */
export interface LinkedCommit {
  readonly oid: Oid;
  readonly shortOid: string;
  /** `Name <email>`. */
  readonly author: string;
  /** ISO 8601. */
  readonly date: string;
  readonly subject: string;
  readonly checkpoints: readonly CheckpointId[];
}

export interface LinkOptions {
  /** Where to start; every branch, remote branch and tag by default. */
  readonly revisions?: readonly string[];
  readonly limit?: number;
}

/**
 * Commits that name checkpoints, newest first: in their message, or in their note where a service lost the message.
 * Few runs of `git log`, whatever the number of notes.
 */
export async function readLinkedCommits(git: Git, options: LinkOptions = {}): Promise<LinkedCommit[]> {
  const from = options.revisions ?? [...workBranches, ...workRemoteBranches, "--tags", "HEAD"];
  const limit = options.limit === undefined ? [] : [`--max-count=${options.limit}`];
  const args = ["--fixed-strings", "--grep=Entire-Checkpoint:", ...limit, ...from];
  const [named, noted] = await Promise.all([readCommits(git, args), readNotedLinks(git)]);
  const linked = named.flatMap(({ message, commit }) => {
    const checkpoints = [...new Set([...namedCheckpoints(message), ...(noted.get(commit.oid) ?? [])])];
    return checkpoints.length === 0 ? [] : [{ ...commit, checkpoints }];
  });
  return noted.size === 0 ? linked : joinNoted(git, { linked, from, noted, limit: options.limit });
}

interface NotedJoin {
  readonly linked: readonly LinkedCommit[];
  readonly from: readonly string[];
  readonly noted: ReadonlyMap<Oid, readonly CheckpointId[]>;
  readonly limit: number | undefined;
}

/** Puts the commits that only their notes link where the walk comes across them. */
async function joinNoted(git: Git, { linked, from, noted, limit }: NotedJoin): Promise<LinkedCommit[]> {
  const walk = await git.run(["rev-list", ...from, "--"], { okCodes: [0, 128, 129] });
  const oids = walk.stdout.toString("latin1").split("\n");
  const order = new Map(oids.map((oid, index) => [oid, index]));
  const known = new Set(linked.map(({ oid }) => oid));
  const more: LinkedCommit[] = [];
  for (const [oid, checkpoints] of noted) {
    const isWanted = order.has(oid) && !known.has(oid) && checkpoints.length > 0;
    if (isWanted) more.push(...(await readCommitsAs(git, [oid], checkpoints)));
  }
  const place = ({ oid }: LinkedCommit) => order.get(oid) ?? 0;
  return [...linked, ...more].sort((a, b) => place(a) - place(b)).slice(0, limit);
}

/** Commits as though they named these checkpoints; those that are not here are left out. */
export async function readCommitsAs(
  git: Git,
  commits: readonly Oid[],
  checkpoints: readonly CheckpointId[],
): Promise<LinkedCommit[]> {
  const read = await readCommits(git, ["--no-walk=unsorted", "--ignore-missing", ...commits]);
  return read.map(({ commit }) => ({ ...commit, checkpoints }));
}

async function readCommits(
  git: Git,
  args: readonly string[],
): Promise<{ readonly commit: Omit<LinkedCommit, "checkpoints">; readonly message: string }[]> {
  const format = "--format=%H%x00%h%x00%an <%ae>%x00%aI%x00%s%x00%B%x00%x1e";
  // 128: no commit yet
  const result = await git.run(["log", format, ...args, "--"], { okCodes: [0, 128] });
  return result.stdout
    .toString("utf8")
    .split("\0\x1e")
    .flatMap((record) => {
      const [oid = "", shortOid = "", author = "", date = "", subject = "", message = ""] = record
        .trimStart()
        .split("\0");
      return oid === "" ? [] : [{ message, commit: { oid: oid as Oid, shortOid, author, date, subject } }];
    });
}

/** The same by checkpoint. */
export function linksByCheckpoint(commits: readonly LinkedCommit[]): Map<CheckpointId, LinkedCommit[]> {
  const links = new Map<CheckpointId, LinkedCommit[]>();
  for (const commit of commits) {
    for (const id of commit.checkpoints) links.set(id, [...(links.get(id) ?? []), commit]);
  }
  return links;
}

/**
 * Who wrote each checkpoint's record (`Name <email>`), from the commits of the checkpoint refs themselves. What was fetched
 * of a remote has no history here, so it tells nothing.
 */
export async function readRecordAuthors(
  git: Git,
  refs: readonly string[],
): Promise<Map<CheckpointId, string>> {
  const authors = new Map<CheckpointId, string>();
  const here = new Set(refs.filter((ref) => ref.startsWith("refs/")));
  if (here.size === 0) return authors;
  const result = await git.run(
    ["log", "--ignore-missing", "--stdin", "--no-merges", "--format=%an <%ae>%x00%s"],
    {
      stdin: [...here].map((ref) => `${ref}\n`).join(""),
    },
  );
  for (const line of result.stdout.toString("utf8").split("\n")) {
    const [author = "", subject = ""] = line.split("\0");
    // newest first: the last one seen is who made the record
    const id = /^Checkpoint: (\S+)$/.exec(subject)?.[1];
    if (id !== undefined) authors.set(id as CheckpointId, author);
  }
  return authors;
}
