import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toFileError } from "./files.ts";

/** A new directory that only this user can enter, on a memory file system where there is one. The caller removes it. */
export function makeMemoryFolder(prefix: string): string {
  const parent = isFolder("/dev/shm") ? "/dev/shm" : tmpdir();
  try {
    return mkdtempSync(join(parent, prefix));
  } catch (error) {
    throw toFileError(error, parent, "create a directory in");
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // absent: another place will do
  }
}
