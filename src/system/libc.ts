import { createRequire } from "node:module";
import { constants as osConstants } from "node:os";

/** Calls of the C library that Node does not offer. Each answers 0 or more, or throws an error with `code` as Node's do. */
export interface Libc {
  /** `mode` 0 allocates, `punchHole` frees; see fallocate(2). */
  fallocate(descriptor: number, mode: number, range: LibcRange): void;
  /** The offset that was found, or undefined past the last data (ENXIO). */
  seek(descriptor: number, offsetBytes: number, whence: number): number | undefined;
  /** False if another open file holds the lock. Ends with the process at the latest. */
  tryLock(descriptor: number): boolean;
  /**
   * Closing the descriptor is not enough to end a lock at once: a child that was forked in between holds a copy of it until
   * it runs its program.
   */
  unlock(descriptor: number): void;
}

export interface LibcRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export const fallocateModes = { allocate: 0, punchHole: 0x02 | 0x01 } as const;
export const seekWhence = { data: 3, hole: 4 } as const;

/**
 * The C library through koffi, loaded at the first call; undefined where koffi or the platform lacks it. The reason is
 * told once, as a process warning.
 */
export function libc(): Libc | undefined {
  if (!tried) {
    tried = true;
    loaded = load();
  }
  return loaded;
}

let tried = false;
let loaded: Libc | undefined;

interface Koffi {
  load(path: string): { func(declaration: string): (...args: readonly (number | bigint)[]) => number };
  errno(): number;
}

const lockExclusiveNonBlocking = 2 | 4;
const lockEnd = 8;

function load(): Libc | undefined {
  if (process.platform !== "linux") return warn(`there is none for ${process.platform}`);
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const library = koffi.load("libc.so.6");
    const fallocate = library.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
    const lseek = library.func("int64_t lseek(int fd, int64_t offset, int whence)");
    const flock = library.func("int flock(int fd, int operation)");
    const failure = (call: string) => libcError(call, koffi.errno());
    return {
      fallocate(descriptor, mode, range) {
        if (fallocate(descriptor, mode, range.offsetBytes, range.lengthBytes) !== 0)
          throw failure("fallocate");
      },
      seek(descriptor, offsetBytes, whence) {
        const found = Number(lseek(descriptor, offsetBytes, whence));
        if (found >= 0) return found;
        const error = failure("lseek");
        if (error.code === "ENXIO") return undefined;
        throw error;
      },
      tryLock(descriptor) {
        if (flock(descriptor, lockExclusiveNonBlocking) === 0) return true;
        const error = failure("flock");
        if (error.code === "EAGAIN") return false;
        throw error;
      },
      unlock(descriptor) {
        if (flock(descriptor, lockEnd) !== 0) throw failure("flock");
      },
    };
  } catch (error) {
    return warn(error instanceof Error ? error.message : String(error));
  }
}

function warn(reason: string): undefined {
  process.emitWarning(
    `koffi cannot be used (${reason.split("\n")[0]}): disk images are neither preallocated nor locked against a second writer`,
    "KeyframeWarning",
  );
  return undefined;
}

function libcError(call: string, errno: number): Error & { readonly code: string } {
  const code = Object.entries(osConstants.errno).find(([, value]) => value === errno)?.[0] ?? `E${errno}`;
  return Object.assign(new Error(`${code}: ${call}`), { code: code === "EWOULDBLOCK" ? "EAGAIN" : code });
}
