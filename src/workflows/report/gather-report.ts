import { agentTotals } from "../../authorship/stats/groups.ts";
import { resolveStatsRange, type StatsRange } from "../../authorship/stats/range.ts";
import { computeStats, type Stats } from "../../authorship/stats/stats.ts";
import { type Explanation, explainCheckpoint } from "../../checkpoints/query/explain.ts";
import { resolveCheckpoints } from "../../checkpoints/query/resolve-checkpoint.ts";
import { addTokens, noTokens } from "../../checkpoints/record/token-usage.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import type { AskContext } from "../ask/ask-context.ts";
import { readFileOwners } from "../ask/file-owners.ts";
import type { ReportFacts, ReportSession, UnknownLines } from "./report-facts.ts";
import { hintsOf, isTestPath } from "./report-hints.ts";

export interface ReportRequest {
  /** A commit or `a..b`, as `keyframe stats` takes it. */
  readonly range: string;
  /** Prompts may be shown to whoever reads the report. */
  readonly prompts: boolean;
}

/** More places than a reader would look at; the counts hold all lines. */
const maxLocatedFiles = 100;
const maxCheckpoints = 500;

/** What is known about a range, for a reviewer. Only reads. @throws KeyframeError `not-found`, `usage` */
export async function gatherReport(context: AskContext, request: ReportRequest): Promise<ReportFacts> {
  const { git, files } = context;
  const range = await resolveStatsRange(git, request.range);
  const reader = openObjectReader(git);
  try {
    const stats = await computeStats(git, reader, { range, ignore: [], files });
    const unknownLines = await locateUnknown(context, stats);
    const sessions = await readSessions(context, range, request.prompts);
    return describe(request.range, stats, { unknownLines, sessions });
  } finally {
    await reader.close();
  }
}

function describe(
  range: string,
  stats: Stats,
  more: Pick<ReportFacts, "unknownLines" | "sessions">,
): ReportFacts {
  const changed = [...stats.files].map(([path, counts]) => ({ path, ...counts }));
  const facts = {
    range,
    end: stats.range.end,
    commits: stats.range.commits.length,
    notedCommits: stats.noted.size,
    total: stats.total,
    agents: agentTotals(stats.sessions),
    humans: [...stats.humans].map(([identity, lines]) => ({ identity, lines })),
    files: changed.sort((a, b) => b.added - a.added || (a.path < b.path ? -1 : 1)),
    tests: changed.filter(({ path }) => isTestPath(path)).map(({ path }) => path),
    tokens: more.sessions.reduce((sum, { tokens }) => addTokens(sum, tokens), noTokens),
    ...more,
  };
  return { ...facts, hints: hintsOf(facts) };
}

/** Where the lines stand that nobody is known for, as far as the end of the range still has them. */
async function locateUnknown(context: AskContext, { files, range }: Stats): Promise<UnknownLines[]> {
  const ours = new Set(range.commits.map(({ commit }) => commit));
  const found: UnknownLines[] = [];
  const asked = [...files].filter(([, { unknown }]) => unknown > 0).slice(0, maxLocatedFiles);
  for (const [path] of asked) {
    const lines = await readFileOwners(context, { path, revision: range.end }).catch(() => []); // gone by the end
    for (const { line, commit, owner } of lines) {
      if (owner !== undefined || commit === undefined || !ours.has(commit)) continue;
      const last = found.at(-1);
      if (last?.path === path && last.last === line - 1) found[found.length - 1] = { ...last, last: line };
      else found.push({ path, first: line, last: line });
    }
  }
  return found;
}

/** The conversations that the commits of the range lead to, each once. */
async function readSessions(
  context: AskContext,
  { commits }: StatsRange,
  withPrompts: boolean,
): Promise<ReportSession[]> {
  const { git, stores, files } = context;
  const explained = new Map<string, Explanation>();
  for (const { commit } of commits) {
    if (explained.size >= maxCheckpoints) break;
    // a commit without a conversation is no error of the report's
    const found = await resolveCheckpoints({ git, stores, files }, commit).catch(() => []);
    for (const { id, places } of found) {
      if (places === undefined || explained.has(id)) continue;
      explained.set(id, (await explainCheckpoint(git, id, places)).explanation);
    }
  }
  return [...explained.values()].flatMap((explanation) => sessionsOf(explanation, withPrompts));
}

function sessionsOf({ id, sessions }: Explanation, withPrompts: boolean): ReportSession[] {
  return sessions.map(({ agent, model, prompts, tokens }) => ({
    checkpoint: id,
    agent: agent ?? "unknown",
    model: model ?? "unknown",
    tokens: tokens ?? noTokens,
    ...(withPrompts ? { prompts } : {}),
  }));
}
