import { resolveStatsRange } from "../../authorship/stats/range.ts";
import { computeStats } from "../../authorship/stats/stats.ts";
import { readCapture } from "../../checkpoints/capture/record.ts";
import { listSessionStates } from "../../checkpoints/sessions/directory.ts";
import { worktreeIdOf } from "../../checkpoints/sessions/events.ts";
import { textOfState } from "../../checkpoints/sessions/state.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import type { Files } from "../../system/files/files.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import { allTokens, type TranscriptFacts } from "../../transcripts/scan/transcript-facts.ts";
import type { DiffFacts, LaneStatus, RaceRecord } from "../race-record.ts";

/** What can be said of a lane's work without judging it. */
export async function readLaneFacts(
  git: Git,
  { files }: { readonly files: Files },
  lane: {
    readonly race: RaceRecord;
    readonly commit: Oid | undefined;
    readonly sessions: NonNullable<LaneStatus["sessions"]>;
  },
): Promise<Pick<LaneStatus, "diff" | "sessions" | "observedLines" | "unknownLines">> {
  const { sessions } = lane;
  if (lane.commit === undefined) return { diff: { files: [], added: 0, removed: 0 }, sessions };
  const diff = await readDiff(git, { from: lane.race.base.commit, to: lane.commit });
  const reader = openObjectReader(git);
  try {
    const range = await resolveStatsRange(git, `${lane.race.base.head}..${lane.commit}`);
    const { total } = await computeStats(git, reader, { range, ignore: [], files });
    return { diff, sessions, observedLines: total.agents + total.humans, unknownLines: total.unknown };
  } finally {
    await reader.close();
  }
}

async function readDiff(
  git: Git,
  { from, to }: { readonly from: Oid; readonly to: Oid },
): Promise<DiffFacts> {
  const args = [
    "diff-tree",
    "-r",
    "-z",
    "--numstat",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    from,
    to,
  ];
  const { stdout } = await git.run(args);
  const files: string[] = [];
  let added = 0;
  let removed = 0;
  for (const entry of stdout.toString("utf8").split("\0")) {
    const [plus = "", minus = "", path] = entry.split("\t");
    if (path === undefined) continue;
    files.push(path);
    // binary files are counted as files only
    added += plus === "-" ? 0 : Number(plus);
    removed += minus === "-" ? 0 : Number(minus);
  }
  return { files, added, removed };
}

/** The sessions that ran in a lane's worktree. */
export function laneSessions({ repository }: Git, files: Files): NonNullable<LaneStatus["sessions"]> {
  const here = worktreeIdOf(repository);
  return listSessionStates({ files }, repository).flatMap(({ id, state }) => {
    if (state === undefined || textOfState(state, "worktree_id") !== here) return [];
    const tool = toolNameOf(textOfState(state, "agent_type") ?? "");
    return [sessionFacts({ tool, id }, readCapture(repository, files, { tool, id })?.facts)];
  });
}

/** With all tokens: reads and writes, cached ones included. */
export function sessionFacts(
  session: { readonly tool: string; readonly id: string },
  facts: Pick<TranscriptFacts, "tokens" | "prompts"> | undefined,
): NonNullable<LaneStatus["sessions"]>[number] {
  const tokens = facts?.tokens;
  return {
    ...session,
    tokens: tokens === undefined ? 0 : allTokens(tokens),
    ...(tokens === undefined ? {} : { byClass: tokens }),
    turns: facts?.prompts.length ?? 0,
  };
}
