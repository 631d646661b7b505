import { dirname, join } from "node:path";
import type { Repository } from "../git/repository.ts";
import type { Files } from "../system/files/files.ts";
import { ownUserIds } from "../system/machine/machine-facts.ts";

/**
 * Where what is derived from commits and notes is kept, to be read once only. May be removed at any time. Not below
 * `keyframe`, which is there only where something was recorded.
 */
export function indexDirectory({ commonDir }: Repository): string {
  return join(commonDir, "keyframe-index");
}

/** A file of the index, only if this user wrote it and nobody else can: what it says is believed. */
export function readIndexFile(files: Files, path: string): Buffer | undefined {
  return isOwn(files, path) ? files.readIfExists(path) : undefined;
}

/** Where nothing can be written, or another user's file is in the way, nothing is kept. */
export function writeIndexFile(files: Files, path: string, write: () => void): void {
  try {
    files.makeFolder(dirname(path), { mode: 0o700 });
    if (files.statIfExists(path) === undefined || isOwn(files, path)) write();
  } catch {
    // a full or read-only disk: derived again the next time
  }
}

function isOwn(files: Files, path: string): boolean {
  const stat = files.statIfExists(path);
  if (stat?.kind !== "file" || (stat.mode & 0o022) !== 0) return false;
  return ownUserIds(process.env)?.includes(stat.userId) !== false;
}
