import { linkSync, mkdirSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf, syncFolder, toFileError } from "./files.ts";

/**
 * Gives a finished, synced file its final name unless that is taken, and makes the name durable. False, and the file
 * is left alone, where the name is taken. After a crash the name is absent or whole. `cross-device` files are
 * refused by `undefined`: the caller copies them first.
 */
export function publishFile(temporary: string, path: string): boolean | undefined {
  try {
    makeFolderDurably(dirname(path));
    linkSync(temporary, path);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    if (errnoOf(error) === "EXDEV") return undefined;
    if (errnoOf(error) === "EPERM" || errnoOf(error) === "ENOTSUP") {
      throw new KeyframeError(
        "unsupported",
        `the file system of ${path} has no hard links, which are needed to create a file without ever replacing one`,
        { cause: error },
      );
    }
    throw toFileError(error, path, "create");
  }
  syncFolder(dirname(path));
  unlinkSync(temporary);
  return true;
}

/** Creates the directory and those above it, and makes each new name durable. */
export function makeFolderDurably(path: string): void {
  let first: string | undefined;
  try {
    first = mkdirSync(path, { recursive: true });
  } catch (error) {
    throw toFileError(error, path, "create");
  }
  if (first === undefined) return;
  for (let folder = path; ; folder = dirname(folder)) {
    syncFolder(dirname(folder));
    if (folder === first || folder === dirname(folder)) return;
  }
}
