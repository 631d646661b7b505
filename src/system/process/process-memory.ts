import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf } from "../files/files.ts";
import { type AddressRange, openProcessVm } from "./process-vm.ts";

/** A part of another process's address space. */
export interface MemoryMapping {
  readonly address: bigint;
  readonly sizeBytes: number;
}

/** Memory of another process of the same user. Linux only. */
export interface ProcessMemory {
  /** Where the process has mapped this file; undefined if nowhere. The largest, if in several places. */
  findMapping(pid: number, path: string): MemoryMapping | undefined;
  /** The mapping's raw pagemap: 8 bytes a page, little-endian (Documentation/admin-guide/mm/pagemap.rst). */
  readPageMap(pid: number, mapping: MemoryMapping, into: Uint8Array): void;
  /** Copies ranges, one after the other, into the front of `into`. */
  read(pid: number, ranges: readonly AddressRange[], into: Uint8Array): void;
}

export const nodeProcessMemory: ProcessMemory = {
  findMapping(pid, path) {
    let found: MemoryMapping | undefined;
    for (const line of procFile(pid, "maps").split("\n")) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+\s+(.*)$/.exec(line);
      if (match?.[3] !== path) continue;
      const address = BigInt(`0x${match[1]}`);
      const sizeBytes = Number(BigInt(`0x${match[2]}`) - address);
      if (found === undefined || sizeBytes > found.sizeBytes) found = { address, sizeBytes };
    }
    return found;
  },
  readPageMap(pid, mapping, into) {
    refusable(pid, () => readAt(`/proc/${pid}/pagemap`, mapping.address / 512n, into));
  },
  read(pid, ranges, into) {
    const readProcess = openProcessVm();
    if (readProcess !== undefined) {
      refusable(pid, () => readProcess(pid, ranges, into));
      return;
    }
    // twice as slow, and always there
    refusable(pid, () => {
      const descriptor = openSync(`/proc/${pid}/mem`, "r");
      try {
        let done = 0;
        for (const range of ranges) {
          readFully(descriptor, range.address, into.subarray(done, done + range.sizeBytes));
          done += range.sizeBytes;
        }
      } finally {
        closeSync(descriptor);
      }
    });
  },
};

function procFile(pid: number, name: string): string {
  return refusable(pid, () => readFileSync(`/proc/${pid}/${name}`, "utf8"));
}

function readAt(path: string, offset: bigint, into: Uint8Array): void {
  const descriptor = openSync(path, "r");
  try {
    readFully(descriptor, offset, into);
  } finally {
    closeSync(descriptor);
  }
}

function readFully(descriptor: number, offset: bigint, into: Uint8Array): void {
  for (let done = 0; done < into.length; ) {
    const count = readSync(descriptor, into, done, into.length - done, offset + BigInt(done));
    if (count === 0) throw new KeyframeError("guest-gone", "the machine's memory has gone");
    done += count;
  }
}

function refusable<T>(pid: number, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EPERM" || errno === "EACCES") {
      throw new KeyframeError("permission-denied", `cannot read the memory of process ${pid}`, {
        hint: "the kernel's ptrace rules forbid it: set kernel.yama.ptrace_scope to 0, or run as the user that started the sandbox",
        cause: error,
      });
    }
    if (errno === "ESRCH" || errno === "ENOENT") {
      throw new KeyframeError("guest-gone", `process ${pid} has ended`, { cause: error });
    }
    throw error;
  }
}
