import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { NoteSource } from "../note/note-source.ts";
import { listCommits } from "./commit-list.ts";
import { createStatsCounter } from "./counter.ts";
import { patchesByCommit, withLogs } from "./stats.ts";
import type { Tally } from "./tally.ts";

/** Lines by owner of each commit alone; a merge counts what it resolved itself. Ignored files are left out. */
export async function countCommits(
  git: Git,
  source: NoteSource,
  request: { readonly commits: readonly Oid[]; readonly isIgnored: (path: string) => boolean },
): Promise<Map<Oid, Tally>> {
  const tallies = new Map<Oid, Tally>();
  if (request.commits.length === 0) return tallies;
  const listed = await listCommits(git, request.commits, { alone: true });
  for await (const change of withLogs(source, listed, patchesByCommit(git, listed))) {
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
