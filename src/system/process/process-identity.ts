import { readFileSync } from "node:fs";
import { errnoOf } from "../files/files.ts";

/**
 * Which process a pid means: the pid alone is used again by the system, with the start time it is one process.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal for the same process only. */
  readonly startedAt: string;
}

export interface ProcessTable {
  self(): ProcessIdentity;
  /** Undefined if there is no such process. */
  identify(pid: number): ProcessIdentity | undefined;
  /** The ancestors of this process, nearest first, with their program names; at most `limit`. */
  ancestors(limit: number): readonly (ProcessIdentity & { readonly program: string })[];
  /** The words that a process was started with; none if it is gone or not ours to see. */
  argumentsOf(pid: number): readonly string[];
}

export function isAlive(table: ProcessTable, process: ProcessIdentity): boolean {
  return table.identify(process.pid)?.startedAt === process.startedAt;
}

/** Reads /proc where it is (Linux), and asks `ps` elsewhere. */
export const nodeProcessTable: ProcessTable = {
  self: () => ({ pid: process.pid, startedAt: lookUp(process.pid)?.startedAt ?? "unknown" }),
  identify(pid) {
    const found = lookUp(pid);
    return found === undefined ? undefined : { pid, startedAt: found.startedAt };
  },
  ancestors(limit) {
    const chain: (ProcessIdentity & { program: string })[] = [];
    for (let pid = process.ppid; pid > 1 && chain.length < limit; ) {
      const found = lookUp(pid);
      if (found === undefined) break;
      chain.push({ pid, startedAt: found.startedAt, program: found.program });
      pid = found.parent;
    }
    return chain;
  },
  argumentsOf(pid) {
    try {
      if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const { execFileSync } = process.getBuiltinModule("node:child_process");
      return execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" }).split(/\s+/);
    } catch {
      return []; // gone since, or another user's
    }
  },
};

interface ProcessEntry {
  readonly startedAt: string;
  readonly parent: number;
  readonly program: string;
}

function lookUp(pid: number): ProcessEntry | undefined {
  return process.platform === "linux" ? lookUpInProc(pid) : lookUpByPs(pid);
}

/** Fields of /proc/<pid>/stat after the program name in parentheses: 4 is the parent, 22 the start in clock ticks. */
function lookUpInProc(pid: number): ProcessEntry | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const end = text.lastIndexOf(")");
    const fields = text.slice(end + 2).split(" ");
    return {
      startedAt: fields[19] ?? "",
      parent: Number(fields[1]),
      program: text.slice(text.indexOf("(") + 1, end),
    };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

function lookUpByPs(pid: number): ProcessEntry | undefined {
  try {
    // loaded only here: it costs a hook as much as all of its own code
    const { execFileSync } = process.getBuiltinModule("node:child_process");
    const text = execFileSync("ps", ["-o", "lstart=,ppid=,comm=", "-p", String(pid)], { encoding: "utf8" });
    const match = /^\s*(\S+ +\S+ +\d+ +[\d:]+ +\d+)\s+(\d+)\s+(.*\S)\s*$/.exec(text);
    if (match?.[1] === undefined) return undefined;
    return { startedAt: match[1], parent: Number(match[2]), program: match[3]?.split("/").at(-1) ?? "" };
  } catch {
    return undefined; // ps exits 1 for a pid that is gone
  }
}
