import { constants, copyFileSync, cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toFileError } from "./files.ts";

/** Copies a file or directory with modes and symlinks as they are; shares blocks where the file system can. */
export type CopyTree = (from: string, to: string) => void;

/** @throws KeyframeError `disk-full`, `permission-denied`, `not-found`, `io-failed` */
export const nodeCopyTree: CopyTree = (from, to) => {
  try {
    cpSync(from, to, {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      verbatimSymlinks: true,
      errorOnExist: true,
      force: false,
      preserveTimestamps: true,
    });
  } catch (error) {
    throw toFileError(error, to, "copy");
  }
};

/** True if copies of the file in a directory share its blocks. */
export function probeReflink(file: string, directory: string): boolean {
  const copy = join(directory, ".reflink");
  try {
    copyFileSync(file, copy, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false; // another file system, or one that cannot
  } finally {
    rmSync(copy, { force: true });
  }
}
