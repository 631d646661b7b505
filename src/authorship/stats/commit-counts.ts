import type { Oid } from "../../git/ids.ts";
import { listCommits } from "./commit-list.ts";
import { type CountedSources, findCountedChanges } from "./counted-changes.ts";
import { createStatsCounter } from "./counter.ts";
import type { Tally } from "./tally.ts";

/** Lines by owner of each commit alone; a merge counts what it resolved itself. Ignored files are left out. */
export async function countCommits(
  sources: CountedSources,
  request: { readonly commits: readonly Oid[]; readonly isIgnored: (path: string) => boolean },
): Promise<Map<Oid, Tally>> {
  const tallies = new Map<Oid, Tally>();
  if (request.commits.length === 0) return tallies;
  const listed = await listCommits(sources.git, request.commits, { alone: true });
  const changes = await findCountedChanges(sources, listed);
  for await (const { change } of changes.read()) {
    const { commit } = change;
    const counter = createStatsCounter({
      commits: [commit],
      end: commit.commit,
      isIgnored: request.isIgnored,
    });
    counter.add(change);
    tallies.set(commit.commit, counter.finish());
  }
  return tallies;
}
