import { constants, cpSync } from "node:fs";
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
