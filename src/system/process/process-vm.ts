import { createRequire } from "node:module";
import { constants as osConstants } from "node:os";
import { assert } from "../../base/assert.ts";

/** A page range of another process: byte address and length. */
export interface AddressRange {
  readonly address: bigint;
  readonly sizeBytes: number;
}

/** Copies ranges of another process, one after the other, into the front of `into`: process_vm_readv(2). */
export type ReadProcess = (pid: number, ranges: readonly AddressRange[], into: Uint8Array) => void;

/** Undefined where koffi (an optional package) is not installed or has no build for this platform. */
export function openProcessVm(): ReadProcess | undefined {
  loaded ??= { read: load() };
  return loaded.read;
}

let loaded: { readonly read: ReadProcess | undefined } | undefined;

/** The kernel takes 1024 ranges a call. */
const rangesPerCall = 1000;

interface Koffi {
  load(path: string): { func(declaration: string): (...args: readonly unknown[]) => number | bigint };
  address(value: unknown): number | bigint;
  errno(): number;
}

function load(): ReadProcess | undefined {
  const koffi = requireKoffi();
  if (koffi === undefined) return undefined;
  const readv = koffi
    .load("libc.so.6")
    .func(
      "int64_t process_vm_readv(int pid, void *local, unsigned long n, void *remote, unsigned long m, unsigned long flags)",
    );
  return (pid, ranges, into) => {
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
      assert(done + sizeBytes <= into.length, "the buffer holds the ranges");
      local.writeBigUInt64LE(start + BigInt(done), 0);
      local.writeBigUInt64LE(BigInt(sizeBytes), 8);
      const got = Number(readv(pid, local, 1, remote, part.length, 0));
      if (got < 0) throw errnoError(koffi.errno());
      if (got !== sizeBytes)
        throw Object.assign(new Error("process_vm_readv: short read"), { code: "EFAULT" });
      done += sizeBytes;
    }
  };
}

function requireKoffi(): Koffi | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch {
    return undefined; // optional by design: callers have a slower way
  }
}

function errnoError(number: number): Error {
  const code = Object.entries(osConstants.errno).find(([, value]) => value === number)?.[0] ?? `E${number}`;
  return Object.assign(new Error(`process_vm_readv: ${code}`), { code });
}
