import type { Oid } from "../../git/ids.ts";
import { readCommitPatches } from "../../git/objects/patch.ts";
import { type FinderDeps, SourceFinder } from "../carry/source-finder.ts";
import type { AuthorshipLog } from "../note/log.ts";
import type { Rewrite } from "./rewritten-commits.ts";
import { buildLog } from "./settled-note.ts";

export interface CarryOptions {
  /** What git or a tool reported. */
  readonly rewrites?: readonly Rewrite[];
  /** Commits of which the journal has said what it knows. */
  readonly settled?: ReadonlySet<Oid>;
  /** Called for each commit that was looked at to the end; `isFound` if a line of it takes an owner. */
  readonly onLookedAt?: (commit: Oid, isFound: boolean) => void;
}

/**
 * What can be said of the lines of commits that nobody was seen writing: they take the owners that they had where they
 * stood before. Logs of the commits for which something was found; to be merged so that what a note says stays.
 * @param commits oldest first
 */
export async function carryIntoCommits(
  deps: FinderDeps,
  commits: readonly Oid[],
  { rewrites = [], settled = new Set(), onLookedAt }: CarryOptions = {},
): Promise<Map<Oid, AuthorshipLog>> {
  const logs = new Map<Oid, AuthorshipLog>();
  const finder = new SourceFinder(deps, { asked: new Set(commits), settled });
  if (commits.length === 0 || !(await finder.hasSources())) return logs;
  const reported = new Map<Oid, Oid[]>();
  for (const { from, to } of rewrites) reported.set(to, [from, ...(reported.get(to) ?? [])]);
  for await (const patch of readCommitPatches(deps.git, commits)) {
    const found = await finder.find(patch, reported.get(patch.commit));
    const log = found && buildLog({ commit: patch.commit, humanAuthor: "", ...found });
    if (!finder.isLate) onLookedAt?.(patch.commit, log !== undefined);
    if (log === undefined) continue;
    logs.set(patch.commit, log);
    await finder.remember(patch.commit, log);
  }
  return logs;
}
