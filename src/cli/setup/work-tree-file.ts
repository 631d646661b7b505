import { dirname, join, relative, sep } from "node:path";
import type { FileState } from "../../base/file-change.ts";
import { readFileState } from "../../system/files/file-changes.ts";
import type { Files } from "../../system/files/files.ts";

/**
 * A settings file in a work tree. One in a directory that is a symlink counts as a symlink itself: what a repository
 * brings must not lead what is written elsewhere.
 */
export function readWorkTreeFile(top: string, path: string, files: Files): FileState {
  const names = relative(top, dirname(path)).split(sep);
  for (const [index] of names.entries()) {
    const folder = join(top, ...names.slice(0, index + 1));
    const target =
      files.statIfExists(folder)?.kind === "symlink" ? files.readLinkIfExists(folder) : undefined;
    if (target !== undefined) return { kind: "symlink", target };
  }
  return readFileState(path, files);
}
