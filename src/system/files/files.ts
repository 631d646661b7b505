import {
  chmodSync,
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { errorText, KeyframeError } from "../../base/errors.ts";
import { decodePath, nativePath } from "../../base/path-text.ts";

export type FileKind = "file" | "folder" | "symlink" | "other";

export interface FileStat {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  /** Permission bits, e.g. 0o644. */
  readonly mode: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** When the file was made, which no later write or touch changes; 0 where the file system does not keep it. */
  readonly birthMs: number;
  readonly inode: number;
  readonly device: number;
  /** Who owns it; 0 where the system has no such numbers. */
  readonly userId: number;
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: FileKind;
}

export interface WriteOptions {
  /** Permission bits of a new file; 0o644 by default. */
  readonly mode?: number;
}

/**
 * Small files and directories, synchronously: the hook path has no time for an event loop turn. Paths are absolute.
 * Foreign errors become KeyframeError `disk-full`, `permission-denied`, `not-found` or `io-failed`, cause kept.
 * Readers named `...IfExists` answer undefined only for absence (ENOENT, ENOTDIR), never for another failure.
 */
export interface Files {
  read(path: string): Buffer;
  readIfExists(path: string): Buffer | undefined;
  /** The content in pieces of at most `chunkBytes`; each piece is valid until the next is taken. */
  readChunks(
    path: string,
    options?: { readonly offsetBytes?: number; readonly chunkBytes?: number },
  ): Generator<Buffer>;
  /** The last bytes of a file, at most `maxBytes`. */
  readTail(path: string, maxBytes: number): Buffer;
  readLinkIfExists(path: string): string | undefined;
  /** The path with every symlink resolved; undefined if it does not exist. */
  realPathIfExists(path: string): string | undefined;
  /** Does not follow a symlink at the end. */
  statIfExists(path: string): FileStat | undefined;
  /** Follows symlinks. */
  statTargetIfExists(path: string): FileStat | undefined;
  /** Sorted by name; undefined if there is no such directory. */
  listIfExists(path: string): FolderEntry[] | undefined;
  /** With the directories above it. `mode` is for those that it makes; 0o777 less the umask by default. */
  makeFolder(path: string, options?: WriteOptions): void;
  /** A new empty directory that only this user can read; returns its real path. The caller removes it. */
  makeTemporaryFolder(prefix: string): string;
  /**
   * Replaces the whole file: temporary file beside it, fsync, rename, fsync of the directory. After a crash at any
   * moment the path holds the old bytes or the new ones.
   */
  replace(path: string, content: Uint8Array, options?: WriteOptions): void;
  /** Like `replace`, without waiting for the disk: atomic for readers, and lost with the machine but not with the process. */
  replaceWithoutSync(path: string, content: Uint8Array, options?: WriteOptions): void;
  /** Creates the file with all its bytes; false if the path exists. Atomic, not synced. */
  createIfAbsent(path: string, content: Uint8Array, options?: WriteOptions): boolean;
  /** One O_APPEND write; a short write is an error. `sync` waits for the disk. */
  append(path: string, content: Uint8Array, options?: WriteOptions & { readonly sync?: boolean }): void;
  /**
   * Writes at a place of a file, made if it is absent; what was there is written over, what lies behind stays. Waits
   * for the disk. A crash leaves any part of it written.
   */
  writeAt(path: string, content: Uint8Array, options: WriteOptions & { readonly offsetBytes: number }): void;
  rename(from: string, to: string): void;
  /** Sets the permission bits exactly, whatever the umask. */
  setMode(path: string, mode: number): void;
  makeSymlink(target: string, path: string): void;
  /** Removes a file or symlink; absence is fine. */
  remove(path: string): void;
  /** Removes a directory if it is empty; false if it is not, or not there. */
  removeEmptyFolder(path: string): boolean;
  /** Removes a directory and all below it; absence is fine. */
  removeTree(path: string): void;
  /** Makes the entries of a directory durable. */
  syncFolder(path: string): void;
}

export const nodeFiles: Files = {
  read: (path) => translated(path, "read", () => readFileSync(nativePath(path))),
  readIfExists: (path) => ifExists(path, "read", () => readFileSync(nativePath(path))),
  *readChunks(path, { offsetBytes = 0, chunkBytes = 1024 * 1024 } = {}) {
    const descriptor = translated(path, "open", () => openSync(nativePath(path), "r"));
    try {
      const buffer = Buffer.allocUnsafe(chunkBytes);
      let position = offsetBytes;
      for (;;) {
        const count = translated(path, "read", () => readSync(descriptor, buffer, 0, chunkBytes, position));
        if (count === 0) return;
        position += count;
        yield buffer.subarray(0, count);
      }
    } finally {
      closeSync(descriptor);
    }
  },
  readTail(path, maxBytes) {
    const descriptor = translated(path, "open", () => openSync(nativePath(path), "r"));
    try {
      const size = fstatSync(descriptor).size;
      const buffer = Buffer.alloc(Math.min(size, maxBytes));
      const count = translated(path, "read", () =>
        readSync(descriptor, buffer, 0, buffer.length, size - buffer.length),
      );
      return buffer.subarray(0, count);
    } finally {
      closeSync(descriptor);
    }
  },
  realPathIfExists: (path) =>
    ifExists(path, "stat", () => decodePath(realpathSync.native(nativePath(path), { encoding: "buffer" }))),
  readLinkIfExists: (path) =>
    ifExists(path, "read", () => decodePath(readlinkSync(nativePath(path), { encoding: "buffer" }))),
  statIfExists: (path) => ifExists(path, "stat", () => toFileStat(lstatSync(nativePath(path)))),
  statTargetIfExists: (path) => ifExists(path, "stat", () => toFileStat(statSync(nativePath(path)))),
  listIfExists: (path) =>
    ifExists(path, "list", () =>
      readdirSync(path, { withFileTypes: true })
        .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
        .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    ),
  makeFolder: (path, options) =>
    void translated(path, "create", () =>
      mkdirSync(path, { recursive: true, mode: options?.mode ?? privateMode(path) }),
    ),
  makeTemporaryFolder: (prefix) =>
    translated(tmpdir(), "create a directory in", () => realpathSync(mkdtempSync(join(tmpdir(), prefix)))),
  replace: (path, content, options) => replaceFile(path, content, { ...options, sync: true }),
  replaceWithoutSync: (path, content, options) => replaceFile(path, content, { ...options, sync: false }),
  createIfAbsent(path, content, options) {
    return translated(path, "create", () => {
      const temporary = writeTemporary(path, content, { mode: options?.mode ?? 0o644, sync: false });
      try {
        linkSync(temporary, path);
        return true;
      } catch (error) {
        if (errnoOf(error) === "EEXIST") return false;
        throw error;
      } finally {
        unlinkSync(temporary);
      }
    });
  },
  append(path, content, { mode = 0o644, sync = false } = {}) {
    translated(path, "append to", () => writeWhole(path, content, { mode, flags: "a", sync }));
  },
  writeAt(path, content, { offsetBytes, mode = 0o644 }) {
    translated(path, "write", () => {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, mode);
      try {
        for (let written = 0; written < content.length; )
          written += writeSync(descriptor, content, written, content.length - written, offsetBytes + written);
        fdatasyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  },
  rename: (from, to) => translated(to, "rename to", () => renameSync(from, to)),
  setMode: (path, mode) => translated(path, "set the mode of", () => chmodSync(path, mode)),
  makeSymlink: (target, path) => translated(path, "create", () => symlinkSync(target, path)),
  remove: (path) => ifExists(path, "remove", () => unlinkSync(path)),
  removeEmptyFolder(path) {
    try {
      rmdirSync(path);
      return true;
    } catch (error) {
      const errno = errnoOf(error) ?? "";
      if (["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR"].includes(errno)) return false;
      throw toFileError(error, path, "remove");
    }
  },
  syncFolder: (path) => translated(path, "sync", () => syncFolder(path)),
  removeTree: (path) => translated(path, "remove", () => rmSync(path, { recursive: true, force: true })),
};

/**
 * What Keyframe keeps beside a repository (prompts, transcripts, uncommitted content) is the user's alone, whatever the
 * umask: directories below `<git directory>/keyframe` are made for their owner, so modes further down do not matter.
 */
function privateMode(path: string): number | undefined {
  return /\.git(?:\/[^\n]*)?\/keyframe(?:\/|$)/.test(path) ? 0o700 : undefined;
}

/** The name that a crashed `replace` leaves behind: `<path>.<pid>.<n>.tmp`. */
export const temporaryName = /\.(\d+)\.\d+\.tmp$/;

let temporaryCount = 0;

/** A fresh name beside a file, for what shall replace it; recognised by `temporaryName` if its process dies. */
export function temporaryPathFor(path: string): string {
  temporaryCount += 1;
  return `${path}.${process.pid}.${temporaryCount}.tmp`;
}

function replaceFile(
  path: string,
  content: Uint8Array,
  options: WriteOptions & { readonly sync: boolean },
): void {
  translated(path, "write", () => {
    const temporary = writeTemporary(path, content, { mode: options.mode ?? 0o644, sync: options.sync });
    try {
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    if (options.sync) syncFolder(dirname(path));
  });
}

/** Under a fresh name: one that is there was left by a killed process whose pid this one has got, and is not touched. */
function writeTemporary(
  path: string,
  content: Uint8Array,
  options: { readonly mode: number; readonly sync: boolean },
): string {
  for (;;) {
    const temporary = temporaryPathFor(path);
    try {
      writeWhole(temporary, content, { ...options, flags: "wx" });
      return temporary;
    } catch (error) {
      if (errnoOf(error) === "EEXIST") continue;
      rmSync(temporary, { force: true });
      throw error;
    }
  }
}

function writeWhole(
  path: string,
  content: Uint8Array,
  options: { readonly mode: number; readonly flags: "a" | "wx"; readonly sync: boolean },
): void {
  const descriptor = openSync(path, options.flags, options.mode);
  try {
    let written = 0;
    while (written < content.length) {
      const count = writeSync(descriptor, content, written);
      if (options.flags === "a" && count < content.length) {
        throw Object.assign(new Error(`short write: ${count} of ${content.length} bytes`), {
          code: "ENOSPC",
        });
      }
      written += count;
    }
    if (options.sync) fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the directory's own entries durable. File systems that cannot (EINVAL) are taken at their word. */
export function syncFolder(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if (errnoOf(error) !== "EINVAL") throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** Bytes of an open descriptor such as standard input, refusing more than `maxBytes`. */
export function readDescriptor(descriptor: number, maxBytes: number): Buffer {
  const pieces: Buffer[] = [];
  let total = 0;
  const size = Math.min(fstatSync(descriptor).size, maxBytes);
  for (;;) {
    const piece = Buffer.allocUnsafe(Math.max(64 * 1024, size - total + 1));
    const count = readSome(descriptor, piece);
    if (count === 0) return Buffer.concat(pieces, total);
    total += count;
    if (total > maxBytes) {
      throw new KeyframeError("too-large", `standard input is larger than ${maxBytes} bytes`);
    }
    pieces.push(piece.subarray(0, count));
  }
}

function readSome(descriptor: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(descriptor, into, 0, into.length, null);
    } catch (error) {
      if (errnoOf(error) === "EOF") return 0;
      // a non-blocking pipe whose writer has not written yet: wait a moment without spinning
      if (errnoOf(error) !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function translated<T>(path: string, verb: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw toFileError(error, path, verb);
  }
}

function ifExists<T>(path: string, verb: string, operation: () => T): T | undefined {
  try {
    return operation();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw toFileError(error, path, verb);
  }
}

/** Translates what Node threw for a path into our error; `verb` completes "cannot ... <path>". */
export function toFileError(error: unknown, path: string, verb: string): KeyframeError {
  if (error instanceof KeyframeError) return error;
  const errno = errnoOf(error);
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new KeyframeError("disk-full", `cannot ${verb} ${path}: no space left`, {
      hint: "free some space and run the command again",
      cause: error,
    });
  }
  if (errno === "EACCES" || errno === "EPERM" || errno === "EROFS") {
    return new KeyframeError("permission-denied", `cannot ${verb} ${path}: ${errno}`, { cause: error });
  }
  if (errno === "ENOENT" || errno === "ENOTDIR") {
    return new KeyframeError("not-found", `cannot ${verb} ${path}: it does not exist`, { cause: error });
  }
  return new KeyframeError("io-failed", `cannot ${verb} ${path}: ${errorText(error)}`, {
    cause: error,
  });
}

/** The `code` of a Node error ("ENOENT"), if it has one. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function toFileStat(stats: Stats): FileStat {
  return {
    kind: kindOf(stats),
    sizeBytes: stats.size,
    mode: stats.mode & 0o7777,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    birthMs: stats.birthtimeMs,
    inode: stats.ino,
    device: stats.dev,
    userId: stats.uid,
  };
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "symlink" : "other";
}
