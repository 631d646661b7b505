import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { CommitPatch } from "../../git/objects/file-patch.ts";
import { type ObjectReader, readInOrder } from "../../git/objects/objects.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import type { PendingPath, PendingPaths } from "./pending-paths.ts";

export interface FollowedPaths {
  /** By what the commit's files are claimed. */
  readonly claimable: PendingPaths;
  /** What waits on, paths that are gone left out. */
  readonly pending: PendingPaths;
}

/** New files of one commit that are looked for among what was pending, where no pending path is gone. */
const maxNewFiles = 50;

/**
 * A file that nobody but the journal knew was moved before it was committed: what is pending goes with it, also over
 * a file that was there. What waits of that one waits on, since the work tree may have it again; so does a path that was
 * moved away from and written anew.
 */
export async function followRenames(
  {
    repository,
    reader,
    files,
  }: { readonly repository: Repository; readonly reader: ObjectReader; readonly files: Files },
  patch: CommitPatch,
  pending: PendingPaths,
): Promise<FollowedPaths> {
  const gone = new Set(
    [...pending.values()].filter(
      ({ head }) => head.current.kind === "file" && isAbsent(repository, files, head.path),
    ),
  );
  const moved = listMoved(patch, pending, gone.size > 0);
  if (pending.size === 0 || moved.length === 0) return { claimable: pending, pending };
  const byDigest = statesByDigest(pending.values());
  const claimable: PendingPaths = new Map(pending);
  const next: PendingPaths = new Map(pending);
  const blobs = readInOrder(
    reader,
    moved.map((path) => `${patch.commit}:${path}`),
  );
  for (const path of moved) {
    const blob = (await blobs.next()).value ?? undefined;
    const digest = blob?.type === "blob" ? sha256Hex(blob.content) : "";
    const waiting = next.get(path);
    const from = byDigest.get(digest);
    if (from === undefined || waiting?.head.current.digest === digest) continue;
    claimable.set(path, from);
    if (!gone.has(from) || from.head.current.digest !== digest || !next.delete(from.head.path)) continue;
    if (waiting === undefined) next.set(path, from);
  }
  return { claimable, pending: next };
}

/** Committed paths that may have been moved to, of which git itself does not say where they come from. */
function listMoved(patch: CommitPatch, pending: PendingPaths, isAnyGone: boolean): RepoPath[] {
  const paths = patch.files.flatMap(({ oldPath, newPath }) => {
    if (newPath === undefined) return [];
    const isKnown = pending.has(newPath);
    const isNew = oldPath === undefined && !isKnown;
    const isFollowed = oldPath !== undefined && oldPath !== newPath && pending.has(oldPath) && !isKnown;
    return isNew || (isAnyGone && !isFollowed) ? [newPath] : [];
  });
  return isAnyGone ? paths : paths.slice(0, maxNewFiles);
}

/** Which pending path had a content, the latest states first. */
function statesByDigest(pending: Iterable<PendingPath>): Map<string, PendingPath> {
  const found = new Map<string, PendingPath>();
  const all = [...pending];
  for (const waiting of all)
    for (const state of waiting.head.earlier) if (state.kind === "file") found.set(state.digest, waiting);
  for (const waiting of all)
    if (waiting.head.current.kind === "file") found.set(waiting.head.current.digest, waiting);
  return found;
}

function isAbsent({ workTree }: Repository, files: Files, path: RepoPath): boolean {
  return workTree !== undefined && files.statIfExists(join(workTree, path)) === undefined;
}
