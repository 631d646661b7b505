import { basename, dirname, sep } from "node:path";
import type { FileChange } from "../../base/file-change.ts";
import { chainedFolder } from "../../git/hooks/hook-block.ts";
import type { Files } from "../../system/files/files.ts";

/** Removes directories below `top` that held nothing but what was taken out; of git's own only the one that we made. */
export function removeEmptyParents(changes: readonly FileChange[], top: string, files: Files): void {
  for (const { path, after } of changes) {
    if (after.kind !== "absent") continue;
    let folder = dirname(path);
    const isOfGit = path.split(sep).includes(".git");
    if (isOfGit && basename(folder) !== chainedFolder) continue;
    if (isOfGit) files.removeEmptyFolder(folder);
    else while (folder.startsWith(`${top}/`) && files.removeEmptyFolder(folder)) folder = dirname(folder);
  }
}
