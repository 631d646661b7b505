import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { SettledCommit } from "../../authorship/settle/settle.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { withIndexFile } from "../../git/worktree/staged-changes.ts";
import type { BaseCommit } from "../../journal/layout.ts";
import { lateCheckpointId } from "../record/late-id.ts";
import { trailingCheckpoints } from "../record/trailers.ts";
import { readAttached } from "./attached-sessions.ts";
import { commitFolder, listPrepared, readSeenHead, writePrepared } from "./commit-directory.ts";
import { type LinkedSession, linkSessions } from "./link-sessions.ts";
import { branchName, type CommitDeps, isRepeating, prepareSessions } from "./prepare-commit.ts";

/**
 * Prepares checkpoints for commits that hold sessions' work and that no hook saw, oldest first, while the journal still
 * has what was pending before them. What is prepared is durable when this returns; `finishCommits` stores it. A commit
 * whose message our hook prepared is left alone: it names what it shall name.
 */
export async function prepareLateLinks(
  git: Git,
  deps: CommitDeps,
  commits: readonly SettledCommit[],
): Promise<void> {
  if (commits.length === 0 || isRepeating(git, deps)) return;
  const { repository } = git;
  const seen = readSeenHead(repository, deps.files);
  const prepared = new Set(listPrepared(repository, deps.files).map(({ commit }) => commit));
  for (const { oid, parent, parents, message } of await readCommits(git, commits)) {
    const replaces = commits.find(({ commit }) => commit === oid)?.replaces;
    if (parents > 1 || prepared.has(oid) || seen === (replaces ?? parent)) continue;
    const named = trailingCheckpoints(message);
    if (named.length > 0 && replaces === undefined) continue;
    const linked = await linkCommit(git, deps, { oid, parent: replaces ?? parent, against: parent });
    if (linked.length === 0) continue;
    const kept = named.at(-1);
    writePrepared(repository, deps.files, {
      version: 1,
      id: kept ?? lateCheckpointId(oid),
      commit: oid,
      head: parent,
      sessions: await prepareSessions(git, deps, linked),
      updates: kept !== undefined,
      store: deps.store,
      branch: branchName(repository, deps),
      at: deps.clock.nowMs(),
    });
  }
}

async function readCommits(git: Git, commits: readonly SettledCommit[]) {
  const args = ["log", "--no-walk=unsorted", "--no-show-signature", "--format=%H%x00%P%x00%B%x00%x1e"];
  const text = await git.text([...args, ...commits.map(({ commit }) => commit)]);
  return text.split("\0\x1e").flatMap((record) => {
    const [oid = "", parents = "", message = ""] = record.trimStart().split("\0");
    if (!isOid(oid)) return [];
    const all = parents.split(" ").filter((parent) => parent !== "");
    return [{ oid, parent: (all[0] ?? "initial") as BaseCommit, parents: all.length, message }];
  });
}

/** As at the commit itself, with an index that holds what it holds. */
async function linkCommit(
  git: Git,
  deps: CommitDeps,
  { oid, parent, against }: { readonly oid: Oid; readonly parent: BaseCommit; readonly against: BaseCommit },
): Promise<LinkedSession[]> {
  const { repository } = git;
  deps.files.makeFolder(commitFolder(repository));
  const indexFile = join(commitFolder(repository), `late-index-${randomUUID()}`);
  const bound = withIndexFile(git, indexFile);
  try {
    await bound.run(["read-tree", oid]);
    return await linkSessions(bound, deps, {
      head: against,
      until: parent,
      attached: readAttached(repository, deps.files),
    });
  } finally {
    deps.files.remove(indexFile);
  }
}
