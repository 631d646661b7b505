import { createRequire } from "node:module";
import { KeyframeError } from "../base/errors.ts";

/** A page range of another process: byte address and length. */
export interface AddressRange {
  readonly address: bigint;
  readonly sizeBytes: number;
}

/** Calls that Node does not offer. Each throws an Error whose `code` is the errno's name, as Node's own do. */
export interface Libc {
  /** The fallocate system call itself: never glibc's emulation, which writes to every block. */
  allocate(descriptor: number, offsetBytes: number, sizeBytes: number): void;
  /** Copies ranges of another process, one after the other, into the front of `into`. */
  readProcess(pid: number, ranges: readonly AddressRange[], into: Uint8Array): void;
}

/** Undefined where koffi (an optional package) is not installed or has no build for this platform. */
export function openLibc(): Libc | undefined {
  loaded ??= { libc: loadLibc() };
  return loaded.libc;
}

let loaded: { readonly libc: Libc | undefined } | undefined;

const rangesPerCall = 1000;

function loadLibc(): Libc | undefined {
  const koffi = requireKoffi();
  if (koffi === undefined) return undefined;
  const libc = koffi.load(null);
  const fallocate = libc.func("fallocate", "int", ["int", "int", "int64_t", "int64_t"]);
  const readv = libc.func("process_vm_readv", "int64_t", [
    "int",
    "void*",
    "unsigned long",
    "void*",
    "unsigned long",
    "unsigned long",
  ]);
  return {
    allocate(descriptor, offsetBytes, sizeBytes) {
      if (fallocate(descriptor, 0, offsetBytes, sizeBytes) !== 0) throw lastError(koffi, "fallocate");
    },
    readProcess(pid, ranges, into) {
      const remote = Buffer.alloc(rangesPerCall * 16);
      const local = Buffer.alloc(16);
      const start = BigInt(koffi.address(into));
      let done = 0;
      for (let first = 0; first < ranges.length; first += rangesPerCall) {
        const part = ranges.slice(first, first + rangesPerCall);
        let sizeBytes = 0;
        for (const [index, range] of part.entries()) {
          remote.writeBigUInt64LE(range.address, index * 16);
          remote.writeBigUInt64LE(BigInt(range.sizeBytes), index * 16 + 8);
          sizeBytes += range.sizeBytes;
        }
        if (done + sizeBytes > into.length) throw new RangeError("the buffer is smaller than the ranges");
        local.writeBigUInt64LE(start + BigInt(done), 0);
        local.writeBigUInt64LE(BigInt(sizeBytes), 8);
        const got = Number(readv(pid, local, 1, remote, part.length, 0));
        if (got < 0) throw lastError(koffi, "process_vm_readv");
        if (got !== sizeBytes)
          throw Object.assign(new Error("process_vm_readv: short read"), { code: "EFAULT" });
        done += sizeBytes;
      }
    },
  };
}

interface Koffi {
  load(name: string | null): {
    func(
      name: string,
      result: string,
      parameters: readonly string[],
    ): (...args: unknown[]) => number | bigint;
  };
  address(value: unknown): number | bigint;
  errno(): number;
  readonly os: { readonly errno: Readonly<Record<string, number>> };
}

function requireKoffi(): Koffi | undefined {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch {
    return undefined; // optional by design: callers have a slower way, or say what they lack
  }
}

function lastError(koffi: Koffi, call: string): Error {
  const number = koffi.errno();
  const code = Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `E${number}`;
  return Object.assign(new Error(`${call}: ${code}`), { code, errno: number });
}

/** True if this error is the machine's way of saying that it has no such call or not for this file. */
export function isUnsupported(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return ["ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EINVAL"].includes(String(error.code));
}

/** For adapters: a KeyframeError that says that another process's memory is off limits, and what to change. */
export function memoryRefused(pid: number, cause: unknown): KeyframeError {
  return new KeyframeError("permission-denied", `cannot read the memory of process ${pid}`, {
    hint: "the kernel's ptrace rules forbid it: set kernel.yama.ptrace_scope to 0, or run as the same user that started the sandbox",
    cause,
  });
}
