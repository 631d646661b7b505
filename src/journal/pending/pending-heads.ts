import { sha256Hex } from "../../base/digest.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { readPathHeads } from "../heads/head-files.ts";
import { hasOwners } from "../heads/path-head.ts";
import { type BaseCommit, listEpochs } from "../layout.ts";
import { type JournalDeps, withJournal } from "../log/journal.ts";
import type { PathHead } from "../path-state.ts";

/**
 * The heads with owners that a worktree's journal holds, by path in order: what is pending now. Only the newest state of
 * each is kept, without the marks and open calls that hold for this worktree alone.
 */
export function readPendingHeads(repository: Repository, files: Files): PathHead[] {
  const newest = new Map<RepoPath, PathHead>();
  for (const epoch of listEpochs(repository, files)) {
    for (const head of readPathHeads(files, epoch)) newest.set(head.path, head);
  }
  return [...newest.values()]
    .filter(hasOwners)
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    .map((head) => ({ ...head, mark: null, earlier: [], begun: [] }));
}

export interface HeadWithContent {
  readonly head: PathHead;
  /** The bytes of its state; null for an absent path. */
  readonly content: Buffer | null;
}

/**
 * Puts heads of another moment into the journal of a worktree whose HEAD is at `base`. Heads whose state is not what
 * their content says are left out: owners of other bytes would be a guess. Returns the paths that were restored.
 */
export function restorePendingHeads(
  deps: JournalDeps,
  repository: Repository,
  { base, heads }: { readonly base: BaseCommit; readonly heads: readonly HeadWithContent[] },
): RepoPath[] {
  const whole = heads.filter(({ head, content }) =>
    content === null ? head.current.kind === "absent" : sha256Hex(content) === head.current.digest,
  );
  if (whole.length === 0) return [];
  return withJournal(deps, repository, base, (journal) =>
    whole.map(({ head, content }) => {
      const event = { path: head.path, kind: "carry", owner: null, carried: head } as const;
      journal.record(event, content ?? undefined);
      return head.path;
    }),
  );
}
