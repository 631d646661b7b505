import type { Git } from "../git/git.ts";
import type { Oid } from "../git/ids.ts";
import { listCommits } from "./commit-list.ts";
import { type NoteSource, readAuthorshipLogs } from "./note-source.ts";
import { patchesByCommit } from "./stats.ts";
import { createStatsCounter } from "./stats-counter.ts";
import type { Tally } from "./stats-tally.ts";

/** Lines by owner of each commit alone; a merge counts what it resolved itself. Ignored files are left out. */
export async function countCommits(
  git: Git,
  source: NoteSource,
  request: { readonly commits: readonly Oid[]; readonly isIgnored: (path: string) => boolean },
): Promise<Map<Oid, Tally>> {
  const tallies = new Map<Oid, Tally>();
  if (request.commits.length === 0) return tallies;
  const [listed, parsed] = await Promise.all([
    listCommits(git, request.commits, { alone: true }),
    readAuthorshipLogs(source, request.commits),
  ]);
  const logs = new Map([...parsed].map(([commit, { log }]) => [commit, log]));
  for await (const [commit, patches] of patchesByCommit(git, listed)) {
    const counter = createStatsCounter({
      commits: [commit],
      end: commit.commit,
      logs,
      isIgnored: request.isIgnored,
    });
    counter.add(commit, patches);
    tallies.set(commit.commit, counter.finish());
  }
  return tallies;
}
