import type { DataFile } from "../system/data-file.ts";
import { toFileError } from "../system/files.ts";
import { isUnsupported, openLibc } from "../system/libc.ts";

const warned = new Set<string>();

/**
 * Reserves the blocks of a file before a guest is stopped, so that a full disk is found out in time and nothing is
 * left to allocate afterwards. Where the file system or this machine cannot, it says so once and the snapshot goes on
 * without. A full disk is `disk-full`.
 */
export function preallocate(
  file: DataFile,
  path: string,
  sizeBytes: number,
  warn: (text: string) => void,
): void {
  const libc = openLibc();
  if (libc === undefined) {
    warnOnce(
      "koffi",
      "cannot reserve disk space before a snapshot: the optional package koffi is not installed",
      warn,
    );
    return;
  }
  try {
    libc.allocate(file.descriptor, 0, sizeBytes);
  } catch (error) {
    if (!isUnsupported(error)) throw toFileError(error, path, "reserve space for");
    warnOnce("file-system", `the file system of ${path} cannot reserve space: going on without`, warn);
  }
}

function warnOnce(key: string, text: string, warn: (text: string) => void): void {
  if (warned.has(key)) return;
  warned.add(key);
  warn(text);
}
