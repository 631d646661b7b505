import { errnoOf } from "../files/files.ts";
import { type ProcessSource, systemProcessSource } from "./process-source.ts";

/**
 * One process, for good: the system hands a pid out again, but never with the same start time in the same boot. Written
 * to state files and locks.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: clock ticks since boot on Linux, a date elsewhere. */
  readonly startedAt: string;
  /** The boot that the start time counts from; empty where that is not known or not needed. */
  readonly bootId: string;
}

/** The processes of this machine, ours or not. One that has ended and was not reaped does not exist here. */
export interface ProcessTable {
  self(): ProcessIdentity;
  /** Undefined if there is no such process. */
  identify(pid: number): ProcessIdentity | undefined;
  isRunning(identity: ProcessIdentity): boolean;
  /** Never signals another process that got the same pid; false if there is nothing to signal. */
  signal(identity: ProcessIdentity, signal: NodeJS.Signals): boolean;
  /** The ancestors of this process, nearest first, with their program names; at most `limit`. */
  ancestors(limit: number): readonly (ProcessIdentity & { readonly program: string })[];
  /** The words that a process was started with; none if it is gone or not ours to see. */
  argumentsOf(pid: number): readonly string[];
  /** The name of its program; undefined if there is no such process. */
  programOf(pid: number): string | undefined;
}

/** @param ownPids this process and its parent */
export function createProcessTable(
  source: ProcessSource,
  ownPids: { readonly pid: number; readonly ppid: number } = process,
): ProcessTable {
  const lookUp = (pid: number) => {
    const entry = source.lookUp(pid);
    return entry === undefined || entry.isZombie ? undefined : entry;
  };
  const identify = (pid: number): ProcessIdentity | undefined => {
    const entry = lookUp(pid);
    return entry === undefined ? undefined : { pid, startedAt: entry.startedAt, bootId: source.bootId() };
  };
  const table: ProcessTable = {
    identify,
    isRunning(identity) {
      const now = identify(identity.pid);
      return now !== undefined && isSameProcess(now, identity);
    },
    signal(identity, signal) {
      if (!table.isRunning(identity)) return false;
      try {
        process.kill(identity.pid, signal);
        return true;
      } catch (error) {
        if (errnoOf(error) === "ESRCH") return false;
        throw error;
      }
    },
    self() {
      const own = identify(ownPids.pid);
      if (own === undefined) throw new Error("the system does not show this process");
      return own;
    },
    ancestors(limit) {
      const chain: (ProcessIdentity & { program: string })[] = [];
      for (let pid = ownPids.ppid; pid > 1 && chain.length < limit; ) {
        const entry = lookUp(pid);
        if (entry === undefined) break;
        const { startedAt, program, parent } = entry;
        chain.push({ pid, startedAt, bootId: source.bootId(), program });
        pid = parent;
      }
      return chain;
    },
    argumentsOf: (pid) => source.argumentsOf(pid),
    programOf: (pid) => lookUp(pid)?.program,
  };
  return table;
}

/** True for two identities of one process. What was written without a boot may be of any. */
export function isSameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  if (a.pid !== b.pid || a.startedAt !== b.startedAt) return false;
  return a.bootId === b.bootId || a.bootId === "" || b.bootId === "";
}

/** An identity out of a state file, as any version of Keyframe wrote it; undefined for anything else. */
export function parseProcessIdentity(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  // sandboxes once called it startTicks, and locks had no boot
  const { pid, startedAt = fields["startTicks"], bootId = "" } = fields;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (typeof startedAt !== "string" || typeof bootId !== "string") return undefined;
  return { pid, startedAt, bootId };
}

export const nodeProcessTable: ProcessTable = createProcessTable(systemProcessSource());
