import { agentTotals, countsByFolder } from "../../authorship/stats/groups.ts";
import { resolveStatsRange } from "../../authorship/stats/range.ts";
import { computeStats } from "../../authorship/stats/stats.ts";
import type { LineCounts, SessionCounts } from "../../authorship/stats/tally.ts";
import { countByWeek, type WeekCounts } from "../../authorship/stats/trend.ts";
import { emptyTreeOid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { mustResolveCommit, resolveRevision } from "../../git/refs/refs.ts";
import type { AskContext } from "./ask-context.ts";

export interface PeopleAnswer {
  /** The commits that were counted, as git names a range. */
  readonly range: string;
  readonly total: LineCounts;
  readonly agents: readonly object[];
  readonly humans: readonly { readonly identity: string; readonly lines: number }[];
  /** Of each conversation: its lines, and what became of them by now. Most lines first. */
  readonly sessions: readonly Pick<
    SessionCounts,
    "tool" | "model" | "conversation" | "added" | "accepted" | "overridden"
  >[];
  readonly weeks: readonly WeekCounts[];
  readonly directories: readonly { readonly path: string; readonly counts: LineCounts }[];
}

const defaultCommits = 200;

/** Lines of the newest commits by who wrote them. */
export async function countPeople(
  { git, files }: AskContext,
  commits = defaultCommits,
): Promise<PeopleAnswer> {
  const end = await mustResolveCommit(git, "HEAD");
  const before = await resolveRevision(git, `HEAD~${commits}^{commit}`);
  const range = `${before ?? emptyTreeOid(end)}..${end}`;
  const reader = openObjectReader(git);
  try {
    const stats = await computeStats(git, reader, {
      range: await resolveStatsRange(git, range),
      ignore: [],
      files,
    });
    return {
      range: before === undefined ? "all commits" : `the newest ${commits} commits`,
      total: stats.total,
      agents: agentTotals(stats.sessions),
      humans: [...stats.humans].map(([identity, lines]) => ({ identity, lines })),
      sessions: stats.sessions
        .slice(0, 100)
        .map(({ tool, model, conversation, added, accepted, overridden }) => ({
          tool,
          model,
          conversation,
          added,
          accepted,
          overridden,
        })),
      weeks: (await countByWeek(git, stats.commits)).slice(-52),
      directories: [...countsByFolder(stats.files)]
        .map(([path, counts]) => ({ path, counts }))
        .sort((a, b) => b.counts.added - a.counts.added)
        .slice(0, 50),
    };
  } finally {
    await reader.close();
  }
}
