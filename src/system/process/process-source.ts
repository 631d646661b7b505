import { existsSync, readFileSync } from "node:fs";
import { errnoOf } from "../files/files.ts";

/** What the system says about one process. */
export interface ProcessEntry {
  /** Opaque; with the pid and the boot it means one process for good. */
  readonly startedAt: string;
  readonly parent: number;
  readonly program: string;
  /** True if only the exit code is left: nobody has asked for it yet. */
  readonly isZombie: boolean;
}

/** Where facts about processes come from. Undefined, or none, for a process that does not exist or may not be seen. */
export interface ProcessSource {
  lookUp(pid: number): ProcessEntry | undefined;
  argumentsOf(pid: number): readonly string[];
  /** What start times count from; empty where they are dates. */
  bootId(): string;
}

export function systemProcessSource(): ProcessSource {
  if (process.platform !== "linux") return createPsSource();
  return existsSync("/proc/self/stat") ? createProcSource() : createSignalSource();
}

/** Linux: /proc. `root` is where it is mounted. */
export function createProcSource(root = "/proc"): ProcessSource {
  let knownBootId: string | undefined;
  return {
    lookUp(pid) {
      const stat = readIfThere(`${root}/${pid}/stat`);
      return stat === undefined ? undefined : parseProcStat(stat);
    },
    argumentsOf: (pid) => (readIfThere(`${root}/${pid}/cmdline`) ?? "").split("\0").slice(0, -1),
    bootId() {
      knownBootId ??= (readIfThere(`${root}/sys/kernel/random/boot_id`) ?? "").trim();
      return knownBootId;
    },
  };
}

/**
 * /proc/<pid>/stat (proc(5)): the program's name in parentheses may hold anything, so fields are counted from the last
 * one. Field 3 is the state, 4 the parent, 22 the start in clock ticks since boot.
 */
export function parseProcStat(stat: string): ProcessEntry | undefined {
  const end = stat.lastIndexOf(")");
  const fields = stat.slice(end + 2).split(" ");
  const [state, parent, startedAt] = [fields[0], fields[1], fields[19]];
  if (end < 0 || startedAt === undefined) return undefined;
  return {
    startedAt,
    parent: Number(parent),
    program: Buffer.from(stat.slice(stat.indexOf("(") + 1, end), "latin1").toString("utf8"),
    isZombie: state === "Z" || state === "X",
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    // ESRCH: it ended between open and read; EACCES: another user's
    if (["ENOENT", "ESRCH", "EACCES"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** Runs `ps` with these arguments; undefined where it fails, as it does for a pid that does not exist. */
export type RunPs = (args: readonly string[]) => string | undefined;

/** macOS and the BSDs: the program `ps`, whose options used here are the same in all of them and in Linux's. */
export function createPsSource(runPs: RunPs = runSystemPs): ProcessSource {
  return {
    lookUp(pid) {
      const row = runPs(["-o", "state=,ppid=,lstart=,comm=", "-p", String(pid)]);
      return row === undefined ? undefined : parsePsRow(row);
    },
    argumentsOf: (pid) =>
      runPs(["-o", "args=", "-p", String(pid)])
        ?.trim()
        .split(/\s+/) ?? [],
    bootId: () => "",
  };
}

/** `Ss      1 Mon Nov  2 08:15:42 2026 /usr/sbin/a program`: state, parent, start, path of the program. */
export function parsePsRow(row: string): ProcessEntry | undefined {
  const match = /^\s*(\S+)\s+(\d+)\s+(\S+ +\S+ +\S+ +[\d:]+ +\d{4})\s+(.*\S)\s*$/.exec(row);
  if (match === null) return undefined;
  const [, state = "", parent, startedAt = "", path = ""] = match;
  return {
    startedAt: startedAt.replace(/ +/g, " "),
    parent: Number(parent),
    program: path.split("/").at(-1) ?? "",
    isZombie: state.startsWith("Z"),
  };
}

function runSystemPs(args: readonly string[]): string | undefined {
  try {
    // loaded only here: it costs a hook as much as all of its own code
    const { execFileSync } = process.getBuiltinModule("node:child_process");
    // dates in the user's language and time zone would make two identities of one process
    const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
    return execFileSync("ps", args, { encoding: "utf8", env, stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined; // exit code 1: there is no such process
  }
}

/** A Linux without /proc: whether a pid is in use is all that can be asked. */
export function createSignalSource(): ProcessSource {
  return {
    lookUp(pid) {
      try {
        process.kill(pid, 0);
      } catch (error) {
        if (errnoOf(error) !== "EPERM") return undefined; // EPERM: it is another user's
      }
      return { startedAt: "unknown", parent: 0, program: "", isZombie: false };
    },
    argumentsOf: () => [],
    bootId: () => "",
  };
}
