import { dirname, join } from "node:path";
import { errorText, KeyframeError } from "../../base/errors.ts";
import type { Repository } from "../../git/repository.ts";
import { type LockDeps, withLockFile } from "../../system/locks/lock-file.ts";
import { readLockHolder } from "../../system/locks/take-over.ts";
import type { ProcessIdentity } from "../../system/process/process-table.ts";
import { encodeSessionState, parseSessionState, type SessionState, textOfState } from "./state.ts";

/** Larger ones are hostile or broken: a state that lists every file of a work tree has been seen, but not this large. */
const maxStateBytes = 16 * 1024 * 1024;
const stateLock = { timeoutMs: 2000, turns: 10, onTakeover: () => undefined };

/** True for ids that may become a file name. */
export function isSessionId(id: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/.test(id) && !id.includes("..");
}

export function sessionsFolder(repository: Repository): string {
  return join(repository.commonDir, "entire-sessions");
}

/** @throws KeyframeError `refused` for an id that is no name */
export function sessionStatePath(repository: Repository, id: string): string {
  if (!isSessionId(id)) {
    throw new KeyframeError("refused", `not a session id: ${JSON.stringify(id.slice(0, 80))}`);
  }
  return join(sessionsFolder(repository), `${id}.json`);
}

/** Undefined if there is none. @throws KeyframeError `damaged`, `too-large` */
export function readSessionState(
  deps: Pick<LockDeps, "files">,
  repository: Repository,
  id: string,
): SessionState | undefined {
  const path = sessionStatePath(repository, id);
  const stat = deps.files.statIfExists(path);
  if (stat === undefined) return undefined;
  if (stat.kind !== "file") throw new KeyframeError("damaged", `${path} is not a file`);
  if (stat.sizeBytes > maxStateBytes) {
    throw new KeyframeError("too-large", `${path} is larger than ${maxStateBytes} bytes`);
  }
  const bytes = deps.files.readIfExists(path);
  return bytes === undefined ? undefined : parseSessionState(bytes);
}

/**
 * Changes one session's state while no other process of ours does: `change` gets what is stored, or undefined, and
 * returns what shall be; undefined leaves it. Readers see the old state or the new one.
 */
export function updateSessionState(
  deps: LockDeps,
  { repository, id }: { readonly repository: Repository; readonly id: string },
  change: (state: SessionState | undefined) => SessionState | undefined,
): SessionState | undefined {
  const path = sessionStatePath(repository, id);
  makePrivateFolder(deps, repository);
  return withLockFile(deps, `${path}.lock`, stateLock, () => {
    const next = change(readSessionState(deps, repository, id));
    if (next !== undefined) deps.files.replaceWithoutSync(path, encodeSessionState(next), { mode: 0o600 });
    return next;
  });
}

/** Removes a session's state if it still may go when nobody else can change it; false if it stays. */
export function removeSessionState(
  deps: LockDeps,
  { repository, id }: { readonly repository: Repository; readonly id: string },
  mayGo: (state: SessionState) => boolean,
): boolean {
  const path = sessionStatePath(repository, id);
  return withLockFile(deps, `${path}.lock`, stateLock, () => {
    const state = readSessionState(deps, repository, id);
    if (state === undefined || !mayGo(state)) return false;
    deps.files.remove(path);
    return true;
  });
}

function makePrivateFolder({ files }: LockDeps, repository: Repository): void {
  const folder = sessionsFolder(repository);
  if (files.statIfExists(folder) !== undefined) return;
  files.makeFolder(folder);
  files.setMode(folder, 0o750);
}

export interface ListedState {
  readonly id: string;
  readonly state: SessionState | undefined;
  /** Why there is no state. */
  readonly problem: string | undefined;
}

/** Every session of the repository, by id. Reads only: nothing is repaired or removed. */
export function listSessionStates(deps: Pick<LockDeps, "files">, repository: Repository): ListedState[] {
  return (deps.files.listIfExists(sessionsFolder(repository)) ?? []).flatMap(({ name }): ListedState[] => {
    const id = name.endsWith(".json") ? name.slice(0, -".json".length) : "";
    if (!isSessionId(id)) return [];
    try {
      return [{ id, state: readSessionState(deps, repository, id), problem: undefined }];
    } catch (error) {
      return [{ id, state: undefined, problem: errorText(error) }];
    }
  });
}

/** When something was heard of a session, milliseconds since 1970; of a state without any time when it was written. */
export function lastHeardMs(
  { files }: Pick<LockDeps, "files">,
  repository: Repository,
  { id, state }: { readonly id: string; readonly state: SessionState },
): number {
  const times = ["last_interaction_time", "ended_at", "started_at"]
    .map((key) => Date.parse(textOfState(state, key) ?? ""))
    .filter((time) => !Number.isNaN(time));
  if (times.length > 0) return Math.max(...times);
  return files.statIfExists(sessionStatePath(repository, id))?.mtimeMs ?? 0;
}

/**
 * Which sessions of a worktree need looking at, one file each, so that nobody reads the states of all: `at-work`, a
 * turn is under way, by the process that the file names; `unfinished`, checkpoints of a turn wait for its last words.
 */
export type SessionMark = "at-work" | "unfinished";

export function markSession(
  deps: Pick<LockDeps, "files">,
  {
    repository,
    id,
    mark,
    owner,
  }: {
    readonly repository: Repository;
    readonly id: string;
    readonly mark: SessionMark;
    readonly owner?: ProcessIdentity | undefined;
  },
  isSet: boolean,
): void {
  if (!isSessionId(id)) return;
  const path = join(markFolder(repository, mark), id);
  if (!isSet) {
    deps.files.remove(path);
    return;
  }
  deps.files.makeFolder(dirname(path));
  const content = Buffer.from(owner === undefined ? "" : JSON.stringify(owner));
  // a turn may begin in another process than the one before, which never said that it ended
  if (mark === "at-work") deps.files.replaceWithoutSync(path, content, { mode: 0o600 });
  else deps.files.createIfAbsent(path, content, { mode: 0o600 });
}

export function isMarked(
  { files }: Pick<LockDeps, "files">,
  repository: Repository,
  { id, mark }: { readonly id: string; readonly mark: SessionMark },
): boolean {
  return isSessionId(id) && files.statIfExists(join(markFolder(repository, mark), id)) !== undefined;
}

/** The process whose turn is under way; undefined where that is not known. */
export function readMarkOwner(
  { files }: Pick<LockDeps, "files">,
  repository: Repository,
  id: string,
): ProcessIdentity | undefined {
  return isSessionId(id) ? readLockHolder(files, join(markFolder(repository, "at-work"), id)) : undefined;
}

export function listMarked(
  deps: Pick<LockDeps, "files">,
  repository: Repository,
  mark: SessionMark,
): string[] {
  return (deps.files.listIfExists(markFolder(repository, mark)) ?? [])
    .map(({ name }) => name)
    .filter((name) => isSessionId(name) && !name.endsWith(".tmp"));
}

function markFolder(repository: Repository, mark: SessionMark): string {
  return join(repository.gitDir, "keyframe", mark);
}
