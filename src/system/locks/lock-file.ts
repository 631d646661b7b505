import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import type { Files } from "../files/files.ts";
import { isAlive, type ProcessIdentity, type ProcessTable } from "../process/process-identity.ts";

export interface LockDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly processTable: ProcessTable;
}

export interface LockOptions {
  readonly timeoutMs: number;
  /** Called under the lock when its last holder died with it: finish or undo what it began. */
  readonly onTakeover: () => void;
}

const retryMs = 2;
/** A take-over lasts microseconds: one this old was itself killed. */
const takeoverAgeMs = 5000;

/** Runs `work` while this process alone holds the lock (`acquireLock`). */
export function withLock<T>(deps: LockDeps, path: string, options: LockOptions, work: () => T): T {
  const release = acquireLock(deps, path, options);
  try {
    return work();
  } finally {
    release();
  }
}

/**
 * Takes a lock file for this process alone; answers what releases it. The file names its holder, so the lock of a
 * killed process is taken over by the next one. @throws KeyframeError `lock-busy`
 */
export function acquireLock(deps: LockDeps, path: string, options: LockOptions): () => void {
  const content = Buffer.from(JSON.stringify(deps.processTable.self()));
  const deadline = deps.clock.monotonicMs() + options.timeoutMs;
  let tookOver = false;
  while (!deps.files.createExclusively(path, content)) {
    if (takeOverIfHolderDied(deps, path)) {
      tookOver = true;
      continue;
    }
    if (deps.clock.monotonicMs() > deadline) {
      throw new KeyframeError(
        "lock-busy",
        `another process holds ${path} for more than ${options.timeoutMs} ms`,
        {
          hint: "try again; `keyframe doctor` shows who holds it",
        },
      );
    }
    Atomics.wait(waitCell, 0, 0, retryMs);
  }
  const release = () => deps.files.remove(path);
  try {
    if (tookOver) options.onTakeover();
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

const waitCell = new Int32Array(new SharedArrayBuffer(4));

export function readLockHolder(files: Files, path: string): ProcessIdentity | undefined {
  const bytes = files.readIfExists(path);
  if (bytes === undefined) return undefined;
  try {
    const holder: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof holder !== "object" || holder === null || !("pid" in holder) || !("startedAt" in holder))
      return undefined;
    return { pid: Number(holder.pid), startedAt: String(holder.startedAt) };
  } catch {
    return undefined; // not written by us: treated as held until the time limit
  }
}

/** True if the dead holder's file was removed. A second lock keeps two finders from removing each other's new lock. */
function takeOverIfHolderDied({ files, clock, processTable }: LockDeps, path: string): boolean {
  const holder = readLockHolder(files, path);
  if (holder === undefined || isAlive(processTable, holder)) return false;
  const guard = `${path}.takeover`;
  if (!files.createExclusively(guard, Buffer.from(String(process.pid)))) {
    const stat = files.statIfExists(guard);
    if (stat !== undefined && clock.nowMs() - stat.mtimeMs > takeoverAgeMs) files.remove(guard);
    return false;
  }
  try {
    const again = readLockHolder(files, path);
    if (again === undefined || isAlive(processTable, again)) return false;
    files.remove(path);
    return true;
  } finally {
    files.remove(guard);
  }
}
