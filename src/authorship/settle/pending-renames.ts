import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import type { CommitPatch } from "../../git/objects/patch.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import type { PendingPaths } from "./pending-paths.ts";

export interface FollowedPaths {
  /** By what the commit's files are claimed. */
  readonly claimable: PendingPaths;
  /** What waits on, paths that are gone left out. */
  readonly pending: PendingPaths;
}

/**
 * A file that nobody but the journal knew was moved before it was committed: what is pending goes with it, also over
 * a file that was there. What waits of that one waits on, since the work tree may have it again.
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
  const gone = [...pending.values()].filter(
    ({ head }) => head.current.kind === "file" && isAbsent(repository, files, head.path),
  );
  if (gone.length === 0) return { claimable: pending, pending };
  const claimable: PendingPaths = new Map(pending);
  const next: PendingPaths = new Map(pending);
  for (const { oldPath, newPath } of patch.files) {
    // git itself says where this one comes from
    const isFollowed = oldPath !== undefined && oldPath !== newPath && next.has(oldPath);
    if (newPath === undefined || isFollowed) continue;
    const blob = await reader.read(`${patch.commit}:${newPath}`);
    const digest = blob?.type === "blob" ? sha256Hex(blob.content) : undefined;
    const waiting = next.get(newPath);
    const from = gone.find(({ head }) => head.current.digest === digest && next.has(head.path));
    if (from === undefined || waiting?.head.current.digest === digest) continue;
    next.delete(from.head.path);
    claimable.set(newPath, from);
    if (waiting === undefined) next.set(newPath, from);
  }
  return { claimable, pending: next };
}

function isAbsent({ workTree }: Repository, files: Files, path: RepoPath): boolean {
  return workTree !== undefined && files.statIfExists(join(workTree, path)) === undefined;
}
