import { dirname, join } from "node:path";
import type { Repository } from "../git/repository.ts";
import type { Files } from "../system/files/files.ts";

/** True after `keyframe disable`: hooks that are still installed record and settle nothing, in all worktrees. */
export function isSwitchedOff(repository: Repository, files: Files): boolean {
  return files.statIfExists(switchPath(repository)) !== undefined;
}

/** True where `keyframe enable` has written something and nobody took it out again. */
export function isSwitchedOn(repository: Repository, files: Files): boolean {
  return files.statIfExists(installedRecordPath(repository)) !== undefined;
}

/** What `enable` wrote, and what was there before. */
export function installedRecordPath(repository: Repository): string {
  return join(repository.commonDir, "keyframe", "installed.json");
}

export function switchOff(repository: Repository, files: Files): void {
  files.makeFolder(dirname(switchPath(repository)));
  files.createIfAbsent(switchPath(repository), Buffer.alloc(0));
}

export function switchOn(repository: Repository, files: Files): void {
  files.remove(switchPath(repository));
}

function switchPath(repository: Repository): string {
  return join(repository.commonDir, "keyframe", "disabled");
}
