import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { mustResolveCommit } from "../../git/refs/refs.ts";
import type { Files } from "../../system/files/files.ts";
import { listCommits } from "./commit-list.ts";
import { computeStats } from "./stats.ts";
import { type LineCounts, sumCounts } from "./tally.ts";

export interface WeekCounts extends LineCounts {
  /** Its Monday in UTC, `2026-11-30`. */
  readonly week: string;
  readonly commits: number;
}

export interface StatsTrend {
  /** As the user named it. */
  readonly since: string;
  readonly end: Oid;
  /** From the first week with a commit to the last, weeks without one included. `accepted` is what the end still has. */
  readonly weeks: readonly WeekCounts[];
  readonly total: LineCounts & { readonly commits: number };
}

export interface TrendOptions {
  readonly revision: string;
  /** A date as git takes it. */
  readonly since: string;
  readonly ignore: readonly string[];
  readonly files: Files;
}

const weekMs = 7 * 24 * 3600 * 1000;
const maxWeeks = 1000;

/** Lines by owner and week of the commit, and what of the agents' the end still has: one pass over the commits. */
export async function weeklyTrend(
  git: Git,
  reader: ObjectReader,
  { revision, since, ignore, files }: TrendOptions,
): Promise<StatsTrend> {
  const end = await mustResolveCommit(git, revision);
  const commits = await listCommits(git, [end], { since });
  const stats = await computeStats(git, reader, { range: { kind: "range", end, commits }, ignore, files });
  return {
    since,
    end,
    weeks: await countByWeek(git, stats.commits),
    total: { commits: commits.length, ...stats.total },
  };
}

/** What commits added, by the week in which they were committed. */
export async function countByWeek(git: Git, counts: ReadonlyMap<Oid, LineCounts>): Promise<WeekCounts[]> {
  const times = await readTimes(git, [...counts.keys()]);
  const byWeek = new Map<number, LineCounts[]>();
  for (const [commit, each] of counts) {
    const week = mondayOf((times.get(commit) ?? 0) * 1000);
    byWeek.set(week, [...(byWeek.get(week) ?? []), each]);
  }
  return weeksOf(byWeek);
}

function weeksOf(byWeek: ReadonlyMap<number, readonly LineCounts[]>): WeekCounts[] {
  const known = [...byWeek.keys()].sort((a, b) => a - b);
  const [first] = known;
  const last = known.at(-1);
  if (first === undefined || last === undefined) return [];
  // a commit with a date far off does not make a row for every week between
  const starts = (last - first) / weekMs < maxWeeks ? spanOf(first, last) : known;
  return starts.map((start) => {
    const counts = byWeek.get(start) ?? [];
    return { week: new Date(start).toISOString().slice(0, 10), commits: counts.length, ...sumCounts(counts) };
  });
}

function spanOf(first: number, last: number): number[] {
  return Array.from({ length: (last - first) / weekMs + 1 }, (_, index) => first + index * weekMs);
}

/** Day 0 of the epoch was a Thursday. */
function mondayOf(ms: number): number {
  const thursday = 3 * 24 * 3600 * 1000;
  return Math.floor((ms + thursday) / weekMs) * weekMs - thursday;
}

/** Seconds since 1970 at which each was committed. */
async function readTimes(git: Git, commits: readonly Oid[]): Promise<ReadonlyMap<string, number>> {
  if (commits.length === 0) return new Map();
  const args = ["log", "--no-walk=unsorted", "--stdin", "--no-show-signature", "--format=%H %ct"];
  const { stdout } = await git.run(args, { stdin: commits.map((commit) => `${commit}\n`).join("") });
  const lines = stdout.toString("utf8").split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [commit = "", time = ""] = line.split(" ");
      return [commit, Number(time)];
    }),
  );
}
