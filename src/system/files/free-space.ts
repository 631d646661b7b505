import { statfsSync } from "node:fs";
import { toFileError } from "./files.ts";

/** Bytes that this user can still write where the path is. */
export function freeBytesAt(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch (error) {
    throw toFileError(error, path, "look at the file system of");
  }
}
