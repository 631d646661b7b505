import { statsJson } from "../../authorship/stats/json.ts";
import { resolveStatsRange } from "../../authorship/stats/range.ts";
import { computeStats } from "../../authorship/stats/stats.ts";
import { type StatsTrend, weeklyTrend } from "../../authorship/stats/trend.ts";
import { badgeSvg, trendSvg } from "../../authorship/stats/trend-svg.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { openGit } from "../../git/git.ts";
import { type ObjectReader, openObjectReader } from "../../git/objects/objects.ts";
import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { settleFirst } from "../command/settle-first.ts";
import { formatTable } from "../output/terminal.ts";
import { statsText } from "./text.ts";

export interface StatsFlags {
  readonly json?: boolean;
  readonly by?: "file" | "dir";
  readonly since?: string;
  readonly format?: "table" | "json" | "svg" | "badge";
  readonly ignore?: readonly string[];
}

/** `keyframe stats`. */
export async function stats(this: CliContext, flags: StatsFlags, revision = "HEAD"): Promise<void> {
  await settleFirst(this);
  const git = openGit(mustFindRepository(this.cwd, this), this.processes, this.env);
  const reader = openObjectReader(git);
  try {
    if (flags.since !== undefined)
      return await printTrend(this, flags, { git, reader, revision, since: flags.since });
    if (flags.format !== undefined) throw new KeyframeError("usage", "--format needs --since");
    const range = await resolveStatsRange(git, revision);
    const result = await computeStats(git, reader, { range, ignore: flags.ignore ?? [], files: this.files });
    if (flags.json) this.terminal.json(statsJson(result));
    else this.terminal.out(statsText(this.terminal, { stats: result, title: revision, by: flags.by }));
  } finally {
    await reader.close();
  }
}

async function printTrend(
  context: CliContext,
  flags: StatsFlags,
  asked: {
    readonly git: Git;
    readonly reader: ObjectReader;
    readonly revision: string;
    readonly since: string;
  },
): Promise<void> {
  const { terminal, files } = context;
  const { git, reader, revision, since } = asked;
  if (revision.includes(".."))
    throw new KeyframeError("usage", "--since counts up to one commit, not a range");
  const trend = await weeklyTrend(git, reader, { revision, since, ignore: flags.ignore ?? [], files });
  if (flags.json === true || flags.format === "json") terminal.json(trend);
  else if (flags.format === "svg") terminal.out(trendSvg(trend));
  else if (flags.format === "badge") terminal.out(badgeSvg(trend));
  else terminal.out(trendTable(trend));
}

function trendTable({ weeks, total }: StatsTrend): string {
  const rows = [["week", "commits", "added", "agents", "humans", "unknown", "agents' still there"]];
  for (const { week, commits, added, agents, humans, unknown, accepted } of [
    ...weeks,
    { week: "all", ...total },
  ])
    rows.push([week, ...[commits, added, agents, humans, unknown, accepted].map(String)]);
  return formatTable(rows, [{}, ...Array.from({ length: 6 }, () => ({ align: "right" as const }))]);
}
