import { join } from "node:path";
import { errorText } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { resolveRevision, updateRefs } from "../../git/refs/refs.ts";
import { joinFetchedPacks, listFetchedPacks, removeFetchedPack } from "../../git/remote/fetched-packs.ts";
import { completeOrRemoveStale, hasTransfers } from "../../git/remote/quarantine.ts";
import { fault } from "../../system/fault.ts";
import { acquireLock, type LockDeps } from "../../system/locks/lock-file.ts";
import { acquireSnapshotLock } from "../capture/turn-snapshots.ts";
import { readRewindRecord, safetyRef } from "../rewind/rewind-record.ts";
import { lastHeardMs, removeSessionState } from "../sessions/directory.ts";
import type { CleanItem } from "./clean-item.ts";
import { stateNeeds } from "./session-leftovers.ts";
import { removeUnusedOwners } from "./unused-owners.ts";

export interface CleanResult {
  readonly removed: readonly CleanItem[];
  /** Changed since the plan was made: somebody uses it. */
  readonly left: readonly CleanItem[];
  readonly failed: readonly { readonly item: CleanItem; readonly why: string }[];
}

const cleanLockTimeoutMs = 5000;
const itemLockTimeoutMs = 2000;

/**
 * Removes what was planned, each item looked at again under its own lock: what has moved since is left. One failure
 * does not stop the others. Killed anywhere, the next run finds the rest.
 * @throws KeyframeError `lock-busy` while another process cleans
 */
export async function applyClean(
  git: Git,
  deps: LockDeps,
  items: readonly CleanItem[],
  { nowMs, olderThanMs }: { readonly nowMs: number; readonly olderThanMs: number },
): Promise<CleanResult> {
  const removed: CleanItem[] = [];
  const left: CleanItem[] = [];
  const failed: { item: CleanItem; why: string }[] = [];
  if (items.length === 0) return { removed, left, failed };
  const folder = join(git.repository.commonDir, "keyframe");
  deps.files.makeFolder(folder);
  const options = { timeoutMs: cleanLockTimeoutMs, onTakeover: () => undefined };
  const release = acquireLock(deps, join(folder, "clean.lock"), options);
  try {
    for (const item of items) {
      fault("clean:before-item");
      try {
        const isGone = await removeItem(git, deps, item, (atMs) => nowMs - atMs > olderThanMs);
        (isGone ? removed : left).push(item);
      } catch (error) {
        failed.push({ item, why: errorText(error) });
      }
    }
  } finally {
    release();
  }
  return { removed, left, failed };
}

async function removeItem(
  git: Git,
  deps: LockDeps,
  item: CleanItem,
  isOld: (atMs: number) => boolean,
): Promise<boolean> {
  const { files } = deps;
  switch (item.kind) {
    case "shadow branch":
    case "temporary ref":
    case "turn snapshots":
    case "rewind snapshots":
      return updateRefs(git, [{ ref: item.ref, expected: item.oid, next: undefined }], "keyframe: clean");
    case "search index":
      files.removeTree(item.path);
      return true;
    case "crash report":
    case "temporary file":
    case "rewind backup":
      files.remove(item.path);
      return true;
    case "unused owners":
      return removeUnusedOwners(git, files, item.owners);
    case "interrupted fetch":
      completeOrRemoveStale(git, deps);
      return true;
    case "transcript copy":
      return removeTranscriptCopy(deps, item);
    case "session state":
      return removeSessionState(
        deps,
        { repository: git.repository, id: item.sessionId },
        (state) =>
          stateNeeds(state) === undefined &&
          isOld(lastHeardMs(deps, git.repository, { id: item.sessionId, state })),
      );
    case "last rewind":
      return forgetRewind(git, deps, item);
    case "fetched packs":
      await joinFetchedPacks(git, deps, item.names);
      return true;
    case "pack remains": {
      const known = listFetchedPacks(git, files).find(({ name }) => name === item.name);
      if (known?.isWhole !== false || hasTransfers(git, files)) return false;
      removeFetchedPack(git, files, item.name);
      return true;
    }
  }
}

/** The record goes first: without it the copy counts for nothing, and the transcript would be taken over anew. */
function removeTranscriptCopy(
  deps: LockDeps,
  { path, seenMs }: Extract<CleanItem, { readonly kind: "transcript copy" }>,
): boolean {
  const { files } = deps;
  if (files.statIfExists(path) === undefined) return true;
  const recordPath = join(path, "record.json");
  const options = { timeoutMs: itemLockTimeoutMs, onTakeover: () => undefined };
  const release = acquireLock(deps, join(path, "lock"), options);
  try {
    if (files.statIfExists(recordPath)?.mtimeMs !== seenMs) return false;
    files.remove(recordPath);
    fault("clean:after-record");
    // with the lock: a capture that waits for it begins a new directory
    files.removeTree(path);
    return true;
  } finally {
    release();
  }
}

async function forgetRewind(
  git: Git,
  deps: LockDeps,
  { of, path, seenMs }: Extract<CleanItem, { readonly kind: "last rewind" }>,
): Promise<boolean> {
  const { files } = deps;
  const release = acquireSnapshotLock(of, deps);
  try {
    const record = readRewindRecord(of, files);
    if (record?.state !== "done" || files.statIfExists(path)?.mtimeMs !== seenMs) return false;
    files.remove(path);
    fault("clean:after-rewind-record");
    for (const { backup } of record.backups) if (backup !== null) files.remove(backup);
    const ref = safetyRef(of);
    const oid = await resolveRevision(git, ref);
    if (oid === undefined) return true;
    return await updateRefs(git, [{ ref, expected: oid, next: undefined }], "keyframe: clean");
  } finally {
    release();
  }
}
