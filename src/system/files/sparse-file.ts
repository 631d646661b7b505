import {
  close,
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  read,
  readSync,
  write,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../fault.ts";
import { fallocateModes, type LibcRange, libc, seekWhence } from "../libc.ts";
import { errnoOf, toFileError } from "./files.ts";

export interface DataRun extends LibcRange {
  readonly kind: "data" | "zero";
}

/**
 * One open file that is read and written at positions. The synchronous calls are for bytes that the page cache holds
 * and for small pieces; the others do not block the event loop. Errors are those of `Files`; a full disk is `disk-full`.
 */
export interface SparseFile {
  readonly path: string;
  sizeBytes(): number;
  /** Bytes that the file system has given to the file. */
  allocatedBytes(): number;
  /** Fills `into`; fewer bytes only at the end of the file. */
  readSync(into: Uint8Array, offsetBytes: number): number;
  read(into: Uint8Array, offsetBytes: number): Promise<number>;
  /** Writes all of `from`, which the caller leaves alone until the answer. */
  writeSync(from: Uint8Array, offsetBytes: number): void;
  write(from: Uint8Array, offsetBytes: number): Promise<void>;
  truncate(sizeBytes: number): void;
  /** Waits until what was written is on the disk (fdatasync). */
  syncData(): Promise<void>;
  syncDataSync(): void;
  /** Gives the range room on the disk by the raw system call; false where that is not possible, `disk-full` where there is none. */
  preallocate(range: LibcRange): boolean;
  /** Makes the range read as zeros and frees it; false where that is not possible. */
  punchHole(range: LibcRange): boolean;
  /** What the file system knows of holes; one data run for all where it does not say. */
  dataRuns(range: LibcRange): Generator<DataRun>;
  /** Refuses other openers until this one is closed or dies; true also where locks are not to be had (a warning says so). */
  tryLock(): boolean;
  /** Waits for what is under way; everything that comes later is `closed`. */
  close(): Promise<void>;
  /** For a file that nothing has been started on. */
  closeSync(): void;
}

export interface OpenSparseFileOptions {
  /** "read" needs the file; "write" needs it too; "create" makes it if it is absent. */
  readonly mode: "read" | "write" | "create";
}

/** How files of blocks are opened; tests put failures behind it. */
export type OpenSparseFile = (path: string, options: OpenSparseFileOptions) => SparseFile;

const readAsync = promisify(read);
const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);
const closeAsync = promisify(close);

const openFlags = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT,
} as const;

export const openNodeSparseFile: OpenSparseFile = (path, options) => new NodeSparseFile(path, options);

class NodeSparseFile implements SparseFile {
  readonly path: string;
  readonly #descriptor: number;
  readonly #underWay = new Set<Promise<unknown>>();
  #isClosed = false;
  #isLocked = false;

  constructor(path: string, { mode }: OpenSparseFileOptions) {
    this.path = path;
    this.#descriptor = this.#attempt("open", () => openSync(path, openFlags[mode], 0o600));
  }

  sizeBytes(): number {
    return this.#attempt("stat", () => fstatSync(this.#descriptor).size);
  }

  allocatedBytes(): number {
    return this.#attempt("stat", () => fstatSync(this.#descriptor).blocks * 512);
  }

  // written without closures: it is the hot path of every cached read
  readSync(into: Uint8Array, offsetBytes: number): number {
    this.#mustBeOpen();
    try {
      let done = 0;
      do {
        const count = readSync(this.#descriptor, into, done, into.length - done, offsetBytes + done);
        if (count === 0) break;
        done += count;
      } while (done < into.length);
      return done;
    } catch (error) {
      throw this.#translate(error, "read");
    }
  }

  read(into: Uint8Array, offsetBytes: number): Promise<number> {
    return this.#tracked("read", async () => {
      let done = 0;
      while (done < into.length) {
        const left = into.length - done;
        const { bytesRead } = await readAsync(this.#descriptor, into, done, left, offsetBytes + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  writeSync(from: Uint8Array, offsetBytes: number): void {
    this.#attempt("write", () => {
      fault("block-file:write");
      let done = 0;
      while (done < from.length)
        done += writeSync(this.#descriptor, from, done, from.length - done, offsetBytes + done);
    });
  }

  write(from: Uint8Array, offsetBytes: number): Promise<void> {
    return this.#tracked("write", async () => {
      fault("block-file:write");
      let done = 0;
      while (done < from.length) {
        const left = from.length - done;
        const { bytesWritten } = await writeAsync(this.#descriptor, from, done, left, offsetBytes + done);
        done += bytesWritten;
      }
    });
  }

  truncate(sizeBytes: number): void {
    this.#attempt("resize", () => ftruncateSync(this.#descriptor, sizeBytes));
  }

  syncData(): Promise<void> {
    return this.#tracked("sync", () => syncAsync(this.#descriptor));
  }

  syncDataSync(): void {
    this.#attempt("sync", () => fdatasyncSync(this.#descriptor));
  }

  preallocate(range: LibcRange): boolean {
    this.#mustBeOpen();
    return allocate(this.#descriptor, fallocateModes.allocate, range, this.#translate);
  }

  punchHole(range: LibcRange): boolean {
    this.#mustBeOpen();
    return allocate(this.#descriptor, fallocateModes.punchHole, range, this.#translate);
  }

  dataRuns(range: LibcRange): Generator<DataRun> {
    this.#mustBeOpen();
    return dataRuns(this.#descriptor, range);
  }

  tryLock(): boolean {
    this.#isLocked = this.#attempt("lock", () => libc()?.tryLock(this.#descriptor) ?? true);
    return this.#isLocked;
  }

  async close(): Promise<void> {
    this.#end();
    await Promise.allSettled(this.#underWay);
    this.#unlock();
    await closeAsync(this.#descriptor);
  }

  closeSync(): void {
    this.#end();
    this.#unlock();
    closeSync(this.#descriptor);
  }

  #end(): void {
    this.#mustBeOpen();
    this.#isClosed = true;
  }

  #unlock(): void {
    if (this.#isLocked) libc()?.unlock(this.#descriptor);
  }

  // a closed descriptor's number may belong to another file already
  #mustBeOpen(): void {
    if (this.#isClosed) throw new KeyframeError("closed", `${this.path} was closed while it was in use`);
  }

  readonly #translate = (error: unknown, verb: string): Error => toFileError(error, this.path, verb);

  #attempt<T>(verb: string, operation: () => T): T {
    try {
      this.#mustBeOpen();
      return operation();
    } catch (error) {
      throw this.#translate(error, verb);
    }
  }

  async #tracked<T>(verb: string, operation: () => Promise<T>): Promise<T> {
    this.#mustBeOpen();
    const running = operation();
    this.#underWay.add(running);
    try {
      return await running;
    } catch (error) {
      throw this.#translate(error, verb);
    } finally {
      this.#underWay.delete(running);
    }
  }
}

const unsupported: ReadonlySet<string | undefined> = new Set([
  "EOPNOTSUPP",
  "ENOTSUP",
  "ENOSYS",
  "EINVAL",
  "ENODEV",
]);
let warnedOfFileSystem = false;

function allocate(
  descriptor: number,
  mode: number,
  range: LibcRange,
  translate: (error: unknown, verb: string) => Error,
): boolean {
  if (range.lengthBytes === 0) return true;
  const c = libc();
  if (c === undefined) return false;
  try {
    c.fallocate(descriptor, mode, range);
    return true;
  } catch (error) {
    if (!unsupported.has(errnoOf(error))) throw translate(error, "allocate space in");
    if (!warnedOfFileSystem) {
      warnedOfFileSystem = true;
      process.emitWarning(
        "the file system cannot preallocate or punch holes: a full disk shows only when bytes are written",
        "KeyframeWarning",
      );
    }
    return false;
  }
}

function* dataRuns(descriptor: number, range: LibcRange): Generator<DataRun> {
  const end = range.offsetBytes + range.lengthBytes;
  const c = libc();
  if (c === undefined) {
    if (range.lengthBytes > 0) yield { ...range, kind: "data" };
    return;
  }
  let position = range.offsetBytes;
  while (position < end) {
    const data = Math.min(c.seek(descriptor, position, seekWhence.data) ?? end, end);
    if (data > position) yield { offsetBytes: position, lengthBytes: data - position, kind: "zero" };
    if (data >= end) return;
    const hole = Math.min(c.seek(descriptor, data, seekWhence.hole) ?? end, end);
    yield { offsetBytes: data, lengthBytes: hole - data, kind: "data" };
    position = hole;
  }
}
