import { join } from "node:path";
import type { Repository } from "../git/repository.ts";
import { listWorktrees } from "../git/worktree/worktrees.ts";
import type { Files } from "../system/files/files.ts";
import type { LockDeps } from "../system/locks/lock-file.ts";
import { readLockHolder } from "../system/locks/take-over.ts";
import type { ProcessIdentity } from "../system/process/process-table.ts";

/** A lock file that is there. */
export interface LockFile {
  readonly path: string;
  readonly holder: ProcessIdentity;
  /** False if it was killed: the next one who wants the lock takes it over. */
  readonly isRunning: boolean;
  readonly heldMs: number;
}

/** Deeper than any lock of ours lies below `keyframe/`. */
const maxDepth = 4;

/** The locks of a repository and all its worktrees. Reads only. */
export function listLockFiles({ files, clock, processTable }: LockDeps, repository: Repository): LockFile[] {
  return [...lockPaths(files, repository)].flatMap((path) => {
    const holder = readLockHolder(files, path);
    const stat = files.statIfExists(path);
    if (holder === undefined || stat === undefined) return [];
    const heldMs = clock.nowMs() - stat.mtimeMs;
    return [{ path, holder, isRunning: processTable.isRunning(holder), heldMs }];
  });
}

function* lockPaths(files: Files, repository: Repository): Generator<string> {
  for (const { gitDir } of listWorktrees(repository, files)) {
    yield* locksBelow(files, join(gitDir, "keyframe"), maxDepth);
  }
  yield* locksBelow(files, join(repository.commonDir, "entire-sessions"), 0);
}

function* locksBelow(files: Files, folder: string, depth: number): Generator<string> {
  for (const { name, kind } of files.listIfExists(folder) ?? []) {
    const path = join(folder, name);
    if (kind === "folder" && depth > 0) yield* locksBelow(files, path, depth - 1);
    else if (kind === "file" && (name === "lock" || name.endsWith(".lock"))) yield path;
  }
}
