import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { CheckpointId } from "../record/ids.ts";
import { namedCheckpoints } from "../record/trailers.ts";

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

/** Commits that name checkpoints, newest first, from one `git log`. */
export async function readLinkedCommits(git: Git, options: LinkOptions = {}): Promise<LinkedCommit[]> {
  const from = options.revisions ?? [
    "--exclude=refs/heads/entire/*",
    "--exclude=refs/heads/entire/**",
    "--exclude=refs/remotes/*/entire/*",
    "--branches",
    "--remotes",
    "--tags",
    "HEAD",
  ];
  const limit = options.limit === undefined ? [] : [`--max-count=${options.limit}`];
  const args = ["--fixed-strings", "--grep=Entire-Checkpoint:", ...limit, ...from];
  return (await readCommits(git, args)).flatMap(({ message, commit }) => {
    const checkpoints = namedCheckpoints(message);
    return checkpoints.length === 0 ? [] : [{ ...commit, checkpoints }];
  });
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
