import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { emptyTreeOid, type Oid } from "../../git/ids.ts";
import { mustResolveCommit, resolveRevision } from "../../git/refs/refs.ts";
import { type ListedCommit, listCommits } from "./commit-list.ts";

export interface StatsRange {
  readonly kind: "commit" | "range";
  readonly end: Oid;
  /** Parents before children. */
  readonly commits: readonly ListedCommit[];
}

/**
 * What `keyframe stats <revision>` counts. `a..b`: the commits of b that a does not have; an empty tree as `a` means
 * all of them. One commit: itself; a merge stands for what it brought to its first parent, which is `merge^1..merge`.
 * @throws KeyframeError `not-found`, `usage`
 */
export async function resolveStatsRange(git: Git, revision: string): Promise<StatsRange> {
  if (revision.includes("...")) {
    throw new KeyframeError("usage", `${revision} has two sides`, {
      hint: "name one range, as in `main..topic`",
    });
  }
  const [from, to, more] = revision.split("..");
  if (more !== undefined || from === undefined)
    throw new KeyframeError("usage", `${revision} is not a range`);
  if (to !== undefined) {
    const end = await mustResolveCommit(git, to || "HEAD");
    const start = await resolveRevision(git, from || "HEAD");
    const excluded = start === emptyTreeOid(end) ? [] : [`^${await mustResolveCommit(git, from || "HEAD")}`];
    return { kind: "range", end, commits: await listCommits(git, [end, ...excluded]) };
  }
  const end = await mustResolveCommit(git, revision);
  const [commit] = await listCommits(git, [end], { alone: true });
  const first = commit?.parents[0];
  const merge = first !== undefined && (commit?.parents.length ?? 0) > 1;
  if (commit === undefined) throw new KeyframeError("not-found", `${revision} does not name a commit here`);
  return { kind: "commit", end, commits: merge ? await listCommits(git, [end, `^${first}`]) : [commit] };
}
