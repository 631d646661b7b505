import { readFileSync } from "node:fs";
import { errnoOf } from "../files/files.ts";

/**
 * One process, for good: the kernel hands a pid out again, but never with the same start time. Written to state files.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/<pid>/stat), and the boot they count from. */
  readonly startTicks: string;
  readonly bootId: string;
}

/** The processes of this machine, ours or not. */
export interface ProcessTable {
  /** Undefined if there is no such process, or if it has ended and only its exit code is left. */
  identify(pid: number): ProcessIdentity | undefined;
  isRunning(identity: ProcessIdentity): boolean;
  /** Never signals another process that got the same pid; false if there is nothing to signal. */
  signal(identity: ProcessIdentity, signal: NodeJS.Signals): boolean;
  self(): ProcessIdentity;
}

export const nodeProcessTable: ProcessTable = {
  identify,
  isRunning(identity) {
    const now = identify(identity.pid);
    return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
  },
  signal(identity, signal) {
    if (!nodeProcessTable.isRunning(identity)) return false;
    try {
      process.kill(identity.pid, signal);
      return true;
    } catch (error) {
      if (errnoOf(error) === "ESRCH") return false;
      throw error;
    }
  },
  self() {
    const own = identify(process.pid);
    if (own === undefined) throw new Error("/proc does not show this process");
    return own;
  },
};

function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // the second field is the program's name in parentheses and may hold anything
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0], fields[19]];
    if (state === "Z" || state === "X" || startTicks === undefined) return undefined;
    return { pid, startTicks, bootId: bootId() };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

let knownBootId: string | undefined;

function bootId(): string {
  knownBootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return knownBootId;
}
