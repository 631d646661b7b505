import { statsJson } from "../../authorship/stats/json.ts";
import { resolveStatsRange } from "../../authorship/stats/range.ts";
import { computeStats } from "../../authorship/stats/stats.ts";
import { openGit } from "../../git/git.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { settleFirst } from "../command/settle-first.ts";
import { statsText } from "./text.ts";

export interface StatsFlags {
  readonly json?: boolean;
  readonly by?: "file" | "dir";
  readonly ignore?: readonly string[];
}

/** `keyframe stats`. */
export async function stats(this: CliContext, flags: StatsFlags, revision = "HEAD"): Promise<void> {
  await settleFirst(this);
  const git = openGit(mustFindRepository(this.cwd, this), this.processes, this.env);
  const reader = openObjectReader(git);
  try {
    const range = await resolveStatsRange(git, revision);
    const result = await computeStats(git, reader, { range, ignore: flags.ignore ?? [], files: this.files });
    if (flags.json) this.terminal.json(statsJson(result));
    else this.terminal.out(statsText(this.terminal, { stats: result, title: revision, by: flags.by }));
  } finally {
    await reader.close();
  }
}
