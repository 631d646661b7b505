import type { DataFile } from "../../system/files/data-file.ts";
import { errnoOf, toFileError } from "../../system/files/files.ts";
import { fallocateModes, libc } from "../../system/libc.ts";

const warned = new Set<string>();

/** The ways in which a kernel says that this file system or this file cannot. */
const unsupported = new Set(["ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EINVAL"]);

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
  const library = libc();
  if (library === undefined) {
    warnOnce(
      "koffi",
      "cannot reserve disk space before a snapshot: the optional package koffi is not installed",
      warn,
    );
    return;
  }
  try {
    library.fallocate(file.descriptor, fallocateModes.allocate, { offsetBytes: 0, lengthBytes: sizeBytes });
  } catch (error) {
    if (!unsupported.has(errnoOf(error) ?? "")) throw toFileError(error, path, "reserve space for");
    warnOnce("file-system", `the file system of ${path} cannot reserve space: going on without`, warn);
  }
}

function warnOnce(key: string, text: string, warn: (text: string) => void): void {
  if (warned.has(key)) return;
  warned.add(key);
  warn(text);
}
