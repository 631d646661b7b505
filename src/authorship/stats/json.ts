import type { Json, JsonObject } from "../../base/json.ts";
import { agentTotals, countsByFolder } from "./groups.ts";
import type { Stats } from "./stats.ts";
import type { LineCounts } from "./tally.ts";

/**
 * The result of `keyframe stats --json`. The names that git-ai prints too (`ai_additions`, `tool_model_breakdown`, ...)
 * mean what they say there, for one commit at the top and for a range under `range_stats`; the rest is ours.
 */
export function statsJson(stats: Stats): JsonObject {
  const counts = countsJson(stats);
  if (stats.range.kind === "commit") return { commit: stats.range.end, ...counts };
  const { commits } = stats.range;
  const withNote = commits.filter(({ commit }) => stats.noted.has(commit));
  const without = commits.filter(({ commit }) => !stats.noted.has(commit));
  const authors = (list: typeof commits) => [...new Set(list.map(({ author }) => author))].sort();
  return {
    authorship_stats: {
      total_commits: commits.length,
      commits_with_authorship: withNote.length,
      authors_committing_authorship: authors(withNote),
      authors_not_committing_authorship: authors(without),
      commits_without_authorship: without.map(({ commit }) => commit),
      commits_without_authorship_with_authors: without.map(({ commit, author }) => [commit, author]),
    },
    range_stats: counts,
  };
}

function countsJson(stats: Stats): JsonObject {
  const { total, sessions } = stats;
  const agents = agentTotals(sessions);
  return {
    human_additions: total.humans,
    unknown_additions: total.unknown,
    ai_additions: total.agents,
    ai_accepted: total.accepted,
    ai_overridden: total.overridden,
    ai_overridden_before_commit: agents.reduce((sum, agent) => sum + agent.overriddenBeforeCommit, 0),
    git_diff_deleted_lines: total.deleted,
    git_diff_added_lines: total.added,
    tool_model_breakdown: Object.fromEntries(
      agents.map(({ tool, model, added, accepted, overridden }) => [
        `${tool}::${model}`,
        { ai_additions: added, ai_accepted: accepted, ai_overridden: overridden },
      ]),
    ),
    sessions: sessions.map(
      (session): JsonObject => ({
        session: session.session,
        tool: session.tool,
        model: session.model,
        conversation: session.conversation,
        commits: session.commits,
        ai_additions: session.added,
        ai_accepted: session.accepted,
        ai_overridden: session.overridden,
        ai_overridden_before_commit: session.overriddenBeforeCommit,
      }),
    ),
    humans: Object.fromEntries(stats.humans),
    files: groupJson(stats.files),
    directories: groupJson(countsByFolder(stats.files)),
  };
}

function groupJson(groups: ReadonlyMap<string, LineCounts>): JsonObject {
  return Object.fromEntries([...groups].map(([path, counts]): [string, Json] => [path, { ...counts }]));
}
