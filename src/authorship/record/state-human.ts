import { join } from "node:path";
import { splitLines } from "../../base/text/lines.ts";
import type { RepoPath } from "../../git/ids.ts";
import { listDirtyPaths, readCommittedSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { decodeLineOwners, encodeLineOwners } from "../../journal/line-owners.ts";
import { type Journal, withJournal } from "../../journal/log/journal.ts";
import { authorIdentity } from "../edits/author-identity.ts";
import { appendEditRecord, type ObserveDeps } from "../edits/edit-cause.ts";
import { OpenEditClaims } from "../edits/open-edit-claims.ts";
import {
  type PathSnapshot,
  snapshotContent,
  snapshotPath,
  stateOf,
  uniformRuns,
} from "../edits/path-snapshot.ts";
import { recordEdit } from "../edits/record-edit.ts";
import { statedHumanKey } from "../note/keys.ts";
import { applyEdit } from "../rules/ownership.ts";

/**
 * Takes a person's word that the present changes are theirs: lines that differ from HEAD and that nobody is known to have
 * written become the person's, as stated. What an agent or an editor is known for stays as it is. Returns the paths in
 * which lines were taken.
 */
export function stateHuman(
  repository: Repository,
  deps: ObserveDeps,
  paths: readonly RepoPath[] = listDirtyPaths(repository, deps),
): RepoPath[] {
  const base = readBaseCommit(repository, deps.files, deps.processes);
  const human = authorIdentity(repository, deps.processes);
  const owner = statedHumanKey(human);
  const claims = new OpenEditClaims(repository, undefined, deps);
  return withJournal(deps, repository, base, (journal) => {
    const committed = readCommittedSync(repository, deps.processes, { commit: base, paths });
    return paths.filter((path) => {
      const after = snapshotPath(deps.files, join(repository.workTree ?? "", path));
      const before = snapshotContent(committed.get(path) ?? null);
      const isKnown = journal.head(path)?.current.digest === after.digest;
      const claim = isKnown ? undefined : claims.claimOf(path, after);
      // an agent's call is writing it at this moment
      if (claim?.kind === "rival") return false;
      if (claim?.kind === "made") appendEditRecord(repository, deps, { ...claim.edit, evidence: "edit" });
      const cause = claim?.kind === "made" ? claim.cause : { owner: null };
      // first whatever is not known yet: nobody was seen writing it
      recordEdit(journal, { path, after, cause, baseline: before });
      return takeLines(journal, { path, before, after, human, owner });
    });
  });
}

function takeLines(
  journal: Journal,
  {
    path,
    before,
    after,
    human,
    owner,
  }: {
    readonly path: RepoPath;
    readonly before: PathSnapshot;
    readonly after: PathSnapshot;
    readonly human: string;
    readonly owner: string;
  },
): boolean {
  const head = journal.head(path);
  if (after.content === undefined || after.unlined !== undefined) return false;
  const known = { content: before.content ?? Buffer.alloc(0), runs: uniformRuns(before, null) };
  const { runs } = applyEdit(known, after.content, { author: owner, kind: "person" });
  const changed = decodeLineOwners(runs, splitLines(after.content).length);
  const present = decodeLineOwners(head?.current.runs ?? [], changed.length);
  const owners = changed.map((mine, line) => present[line] ?? mine);
  const taken = owners.filter((one, line) => one === owner && present[line] !== owner).length;
  if (taken === 0) return false;
  journal.record(
    {
      path,
      kind: "edit",
      owner,
      human,
      evidence: "stated",
      state: stateOf(after, encodeLineOwners(owners)),
      ...(after.mark ? { mark: after.mark } : {}),
      takenLines: taken,
    },
    after.content,
  );
  return true;
}
