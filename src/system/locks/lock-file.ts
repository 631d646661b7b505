import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import type { Files } from "../files/files.ts";
import type { ProcessIdentity, ProcessTable } from "../process/process-table.ts";
import { encodeSelf, readLockHolder, takeLockOfDead } from "./take-over.ts";

export interface LockDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly processTable: ProcessTable;
}

export interface LockFileOptions {
  readonly timeoutMs: number;
  /**
   * How many times as long to wait while the lock passes from one holder to the next; 1 by default. One that keeps it
   * for `timeoutMs` hangs; where many wait for what takes milliseconds, a turn comes however slow the machine is.
   */
  readonly turns?: number;
  /**
   * Called under the lock when its last holder died with it: finish or undo what it began. Where that fails the lock stays the
   * dead one's, so that whoever comes next tries again.
   */
  readonly onTakeover: () => void;
}

/** Most locks are held for a few milliseconds: looked at often at first, then seldom, and often again after a long wait. */
const soonMs = 2;
const laterMs = 16;
/** How often the holder's process is looked up while its lock is there. */
const holderCheckMs = 50;

/** Runs `work` while this process alone holds the lock (`acquireLock`). */
export function withLockFile<T>(deps: LockDeps, path: string, options: LockFileOptions, work: () => T): T {
  const release = acquireLock(deps, path, options);
  try {
    return work();
  } finally {
    release();
  }
}

/**
 * Takes a lock file for this process alone and returns the function that releases it. The file names its holder, so the
 * lock of a killed process is taken over by the next one. @throws KeyframeError `lock-busy`
 */
export function acquireLock(deps: LockDeps, path: string, options: LockFileOptions): () => void {
  const content = encodeSelf(deps);
  const patience = createPatience(deps, path, options);
  let dead: Buffer | undefined;
  for (let tries = 0; !isFree(deps, path, tries) || !deps.files.createIfAbsent(path, content); tries += 1) {
    dead = patience.shouldLook() ? takeLockOfDead(deps, path, content) : undefined;
    if (dead !== undefined) break;
    if (patience.isOver()) throw busy(deps, path, options.timeoutMs);
    deps.clock.sleepSync(patience.pauseMs(tries));
  }
  try {
    if (dead !== undefined) options.onTakeover();
  } catch (error) {
    if (dead !== undefined) giveBack(deps, path, dead);
    throw error;
  }
  return () => deps.files.remove(path);
}

function giveBack({ files }: LockDeps, path: string, dead: Buffer): void {
  try {
    files.replaceWithoutSync(path, dead);
  } catch {
    // a full disk: it is this process's until that has ended, and is taken over then
  }
}

/**
 * To try for the lock costs three changes of the directory: with many who wait, those took the time that the holder
 * needed, and some of 60 hooks at once got no turn. The first try is made without a look.
 */
function isFree({ files }: LockDeps, path: string, tries: number): boolean {
  return tries === 0 || files.statIfExists(path) === undefined;
}

/** How long to wait, and how often to look. */
function createPatience(
  { files, clock }: LockDeps,
  path: string,
  { timeoutMs, turns = 1 }: Pick<LockFileOptions, "timeoutMs" | "turns">,
) {
  const startedMs = clock.monotonicMs();
  let holderSinceMs = startedMs;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let holder = "";
  return {
    /** True from time to time: the holder is to be looked at. */
    shouldLook(): boolean {
      const nowMs = clock.monotonicMs();
      if (nowMs - lookedMs < holderCheckMs) return false;
      lookedMs = nowMs;
      const now = files.readIfExists(path)?.toString("latin1") ?? "";
      if (now !== holder) holderSinceMs = nowMs;
      holder = now;
      return true;
    },
    isOver(): boolean {
      const nowMs = clock.monotonicMs();
      return nowMs - holderSinceMs > timeoutMs || nowMs - startedMs > timeoutMs * turns;
    },
    /** Who has waited longest looks most often, and comes first; nobody in step with the others. */
    pauseMs(tries: number): number {
      if (tries < 4 || clock.monotonicMs() - startedMs > timeoutMs / 2) return soonMs;
      return laterMs / 2 + ((process.pid * 7 + tries * 5) % (laterMs / 2));
    },
  };
}

function busy(deps: LockDeps, path: string, timeoutMs: number): KeyframeError {
  const holder = readLockHolder(deps.files, path);
  const who = holder === undefined ? "a process that it does not name" : describeHolder(deps, holder);
  return new KeyframeError(
    "lock-busy",
    `timed out after ${timeoutMs / 1000} s waiting for the lock ${path}, held by ${who}`,
    {
      hint:
        holder === undefined
          ? "if nothing of Keyframe is running, remove the file"
          : `try again; if process ${holder.pid} hangs, end it: its lock is then taken over`,
    },
  );
}

/** `process 4711 (node)` */
export function describeHolder(
  { processTable }: Pick<LockDeps, "processTable">,
  { pid }: ProcessIdentity,
): string {
  const program = processTable.programOf(pid);
  return program === undefined || program === "" ? `process ${pid}` : `process ${pid} (${program})`;
}
