import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type OverlayView, withOverlays } from "./overlays.ts";

/** How a command and everything that it starts is held together. */
export type Containment =
  /** A process namespace of its own: when its first process is killed, the kernel ends all of them. */
  | "namespace"
  /** A process group, and a walk over processes that carry the marker in their environment. */
  | "group";

export interface ContainedOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Standard output and error are appended here. */
  readonly logPath: string;
  /** Written to standard input. */
  readonly stdin: string;
  /** A value of the environment variable `KEYFRAME_CONTAINED`, unique to this command. */
  readonly marker: string;
  readonly timeoutMs?: number;
  /** What the command sees of the file system in place of what is there. */
  readonly view?: OverlayView;
}

export interface ContainedResult {
  /** Exit code; 128 + n for a signal; -1 where it could not be started. */
  readonly code: number;
  readonly timedOut: boolean;
}

export interface ContainedProcess {
  readonly pid: number;
  readonly containment: Containment;
  readonly ended: Promise<ContainedResult>;
  /** Of the command and all that it started and that still run. */
  countProcesses(): number | Promise<number>;
  /** Ends the command and everything that it started; returns at once. */
  kill(): void;
}

const namespaceArguments: readonly (readonly string[])[] = [
  ["--pid", "--fork", "--kill-child", "--mount-proc"],
  ["--user", "--map-current-user", "--pid", "--fork", "--kill-child", "--mount-proc"],
];
let probed: readonly string[] | null | undefined;

/** Tried once a process: whether namespaces work depends on kernel, policy and user. */
function probeNamespace(): readonly string[] | null {
  if (probed === undefined) {
    probed =
      process.platform !== "linux"
        ? null
        : (namespaceArguments.find(
            (args) =>
              spawnSync("unshare", [...args, "true"], { stdio: "ignore", timeout: 5000 }).status === 0,
          ) ?? null);
  }
  return probed;
}

/** Runs a shell command so that all of it can be ended, whatever it starts and however that detaches itself. */
export function startContained(command: string, options: ContainedOptions): ContainedProcess {
  const namespace = options.view === undefined ? probeNamespace() : [];
  const shell = ["sh", "-c", command];
  const [program, ...args] =
    options.view !== undefined
      ? withOverlays(options.view, shell, { contained: true })
      : namespace === null
        ? shell
        : ["unshare", ...namespace, ...shell];
  const isNamespace = namespace !== null;
  const log = openSync(options.logPath, "a", 0o600);
  // with this process gone nobody would end it; a group's members beside the first are found by their mark later
  const [first = "sh", ...rest] = [...(isNamespace ? dieWithParent() : []), program ?? "sh", ...args];
  const child = spawn(first, rest, {
    cwd: options.cwd,
    env: { ...options.env, KEYFRAME_CONTAINED: options.marker },
    detached: true,
    stdio: ["pipe", log, log],
  });
  closeSync(log);
  // an agent that does not read its input closes it
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(options.stdin);
  const kill = () => killTree(child, isNamespace, options.marker);
  return {
    pid: child.pid ?? -1,
    containment: isNamespace ? "namespace" : "group",
    countProcesses: () =>
      isNamespace ? countInNamespace(child.pid ?? -1) : findMarked(options.marker).length,
    ended: waitFor(child, kill, options.timeoutMs),
    kill,
  };
}

function waitFor(
  child: ChildProcess,
  kill: () => void,
  timeoutMs: number | undefined,
): Promise<ContainedResult> {
  let timedOut = false;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          kill();
        }, timeoutMs);
  return new Promise((resolve) => {
    const end = (code: number) => {
      clearTimeout(timer);
      // what the command left running ends with it
      kill();
      resolve({ code, timedOut });
    };
    child.once("error", () => end(-1));
    child.once("exit", (code, signal) => end(code ?? (signal === null ? -1 : 137)));
  });
}

function killTree(child: ChildProcess, isNamespace: boolean, marker: string): void {
  const pid = child.pid;
  if (pid === undefined) return;
  signal(-pid);
  if (isNamespace) {
    signal(pid);
    return;
  }
  // what left the group still has the marker, unless it cleared its environment
  endMarked(marker);
}

/** Ends what an earlier process of ours started under this marker and could not end. */
export function endMarked(marker: string): void {
  for (let round = 0; round < 3; round += 1) for (const stray of findMarked(marker)) signal(stray);
}

let setsDeathSignal: boolean | undefined;

/** Words before a program that is to be killed when this process ends in whatever way. */
function dieWithParent(): readonly string[] {
  const words = ["setpriv", "--pdeathsig", "KILL"];
  setsDeathSignal ??=
    spawnSync(words[0] ?? "", [...words.slice(1), "true"], { stdio: "ignore" }).status === 0;
  return setsDeathSignal ? words : [];
}

function countInNamespace(pid: number): number {
  const namespaceOf = (path: string) => {
    try {
      return readlinkSync(path);
    } catch {
      return undefined; // ended meanwhile, or another user's
    }
  };
  const ours = namespaceOf(`/proc/${pid}/ns/pid_for_children`);
  if (ours === undefined || ours === namespaceOf("/proc/self/ns/pid")) return 0;
  return readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && namespaceOf(`/proc/${name}/ns/pid`) === ours,
  ).length;
}

function findMarked(marker: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "latin1");
      return environment.split("\0").includes(`KEYFRAME_CONTAINED=${marker}`) ? [Number(name)] : [];
    } catch {
      return []; // ended meanwhile, or another user's
    }
  });
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone already
  }
}
