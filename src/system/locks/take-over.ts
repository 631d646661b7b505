import { basename, dirname, join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { Files } from "../files/files.ts";
import { type ProcessIdentity, type ProcessTable, parseProcessIdentity } from "../process/process-table.ts";

interface TakeOverDeps {
  readonly files: Files;
  readonly processTable: ProcessTable;
}

/** So many processes in a row that were each killed while they took over from the one before. */
const maxClaims = 32;

/** Undefined if nobody holds it, or if it is not a lock that we wrote: that one is held until the time limit. */
export function readLockHolder(files: Files, path: string): ProcessIdentity | undefined {
  const bytes = files.readIfExists(path);
  return bytes === undefined ? undefined : parseHolder(bytes);
}

/**
 * Makes the lock of a holder that has died this process's, and returns what it said; undefined if it is not. There is no moment without a lock
 * file, so whoever takes over is the next holder, who can finish what the dead one began.
 *
 * Only the owner of a claim may write over the lock. A claim is a file that is named by what the dead lock says, so there is
 * one for each lock that ever was left behind, and it does not grow old: a process that is stopped between its look and
 * its write still has it when it goes on, however much later. The claim of a process that was killed is claimed in turn.
 */
export function takeLockOfDead(deps: TakeOverDeps, path: string, content: Uint8Array): Buffer | undefined {
  const { files, processTable } = deps;
  const found = files.readIfExists(path);
  const holder = found === undefined ? undefined : parseHolder(found);
  if (found === undefined || holder === undefined || processTable.isRunning(holder)) return undefined;
  const claim = claimLock(deps, path, found);
  if (claim === undefined) return undefined;
  try {
    // nobody else may change it from here on; before, somebody may have taken over and be done
    if (files.readIfExists(path)?.equals(found) !== true) return undefined;
    files.replaceWithoutSync(path, content);
  } finally {
    files.remove(claim);
  }
  removeClaims(files, path);
  return found;
}

/** Removes the lock of a holder that has died, where it left nothing half done; false if there is none. */
export function removeLockOfDead(deps: TakeOverDeps, path: string): boolean {
  const isTaken = takeLockOfDead(deps, path, encodeSelf(deps)) !== undefined;
  if (isTaken) deps.files.remove(path);
  return isTaken;
}

/** What a lock file of this process says. */
export function encodeSelf({ processTable }: Pick<TakeOverDeps, "processTable">): Buffer {
  return Buffer.from(JSON.stringify(processTable.self()));
}

/** The path of the claim, or undefined if another process that runs has it. */
function claimLock(deps: TakeOverDeps, path: string, lock: Buffer): string | undefined {
  const { files, processTable } = deps;
  let dead = lock;
  for (let depth = 0; depth < maxClaims; depth += 1) {
    const claim = `${path}.takeover.${sha256Hex(dead).slice(0, 16)}`;
    if (files.createIfAbsent(claim, encodeSelf(deps))) return claim;
    const bytes = files.readIfExists(claim);
    const claimant = bytes === undefined ? undefined : parseHolder(bytes);
    if (bytes === undefined || claimant === undefined || processTable.isRunning(claimant)) return undefined;
    dead = bytes;
  }
  return undefined;
}

/** The lock is ours: claims on earlier ones say nothing any more. */
function removeClaims(files: Files, path: string): void {
  const folder = dirname(path);
  for (const { name } of files.listIfExists(folder) ?? [])
    if (name.startsWith(`${basename(path)}.takeover`)) files.remove(join(folder, name));
}

function parseHolder(bytes: Buffer): ProcessIdentity | undefined {
  try {
    return parseProcessIdentity(JSON.parse(bytes.toString("utf8")));
  } catch {
    return undefined; // not JSON
  }
}
