import { dirname } from "node:path";
import { errorText, KeyframeError } from "../../base/errors.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { Clock } from "../../system/clock.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { withLockFile } from "../../system/locks/lock-file.ts";
import type { ProcessTable } from "../../system/process/process-table.ts";
import { type Random, randomHex } from "../../system/random.ts";
import {
  readPathHead,
  readPathHeads,
  readStateContent,
  stateContentPath,
  writePathHead,
} from "../heads/head-files.ts";
import { applyEvent, hasOwners } from "../heads/path-head.ts";
import { joinAgents } from "../join-agents.ts";
import type { JournalEvent } from "../journal-event.ts";
import {
  type BaseCommit,
  type Epoch,
  hasShellCalls,
  isOwned,
  listEpochs,
  lockPath,
  logPath,
  makeEpoch,
  ownedPath,
  pathFolder,
  pathsFolder,
} from "../layout.ts";
import { lockTimeoutMs, lockTurns } from "../limits.ts";
import type { PathHead, PathState } from "../path-state.ts";
import { appendEvent } from "./log.ts";
import { finishInterrupted } from "./recovery.ts";
import { readWaiting, type WaitingEvent } from "./waiting-files.ts";

export interface JournalDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly processTable: ProcessTable;
}

/** What is recorded of an event; id and time are added. */
export type NewEvent = Omit<JournalEvent, "id" | "at">;

/**
 * The journal while its lock is held. Work here is proportional to the paths that are asked for, never to what was
 * recorded before: the log is only appended to.
 */
export interface Journal {
  readonly epoch: Epoch;
  /** What is pending for a path, from this epoch or the newest earlier one that knows it. */
  head(path: RepoPath): PathHead | undefined;
  /** The bytes of a state that a head names; undefined for an absent path, one recorded by digest only, or a lost file. */
  content(head: PathHead, state: PathState): Buffer | undefined;
  /** Appends the event, then moves the path's head. `content` are the bytes of the event's state. */
  record(event: NewEvent, content?: Uint8Array): PathHead;
}

/** A journal that also takes in events which were made elsewhere. */
interface EpochJournal extends Journal {
  append(event: JournalEvent, content?: Uint8Array): PathHead;
}

/**
 * Runs `work` with the journal of a worktree whose HEAD is at `base`. One process at a time; what a killed one left
 * half done is finished first, and what could not get the lock is taken in. The order of a recording is: content, log line, head. After a crash before the log line
 * nothing was recorded; after it, the head is made again from the line.
 */
export function withJournal<T>(
  deps: JournalDeps,
  repository: Repository,
  base: BaseCommit,
  work: (journal: Journal) => T,
  turns = lockTurns,
): T {
  return withJournalLock(
    deps,
    repository,
    () => {
      takeWaiting(deps, repository);
      const epochs = listEpochs(repository, deps.files);
      const last = epochs.at(-1);
      const epoch = last?.base === base ? last : beginEpoch(repository, deps.files, { before: epochs, base });
      return work(openJournal(deps, epoch, epochs));
    },
    turns,
  );
}

/** Runs `work` while no other process records. `turns`: see `lockTurns`. */
export function withJournalLock<T>(
  deps: JournalDeps,
  repository: Repository,
  work: () => T,
  turns = lockTurns,
): T {
  const lock = lockPath(repository);
  deps.files.makeFolder(dirname(lock));
  const onTakeover = () => finishOrWait(deps, repository);
  return withLockFile(deps, lock, { timeoutMs: lockTimeoutMs, turns, onTakeover }, work);
}

/** While what a killed process left cannot be finished, a hook's events wait as for a lock that is held. */
function finishOrWait(deps: JournalDeps, repository: Repository): void {
  try {
    finishInterrupted(deps, listEpochs(repository, deps.files));
  } catch (error) {
    throw new KeyframeError(
      "lock-busy",
      `what a killed process left in the journal could not be finished: ${errorText(error)}`,
      { hint: "see `keyframe doctor`" },
    );
  }
}

/** Takes in, in order, what processes could not record because the lock did not come in time. */
function takeWaiting(deps: JournalDeps, repository: Repository): void {
  const { files } = deps;
  for (const { path, recording } of readWaiting(repository, files)) {
    if (recording === undefined) continue; // damaged: `doctor` names it
    const { base, events } = recording;
    const epochs = listEpochs(repository, files);
    const epoch =
      epochs.findLast((each) => each.base === base) ??
      beginEpoch(repository, files, { before: epochs, base });
    const journal = openJournal(deps, epoch, epochs);
    for (const waiting of notTaken(journal, events)) takeEvent(journal, waiting);
    fault("journal:after-waiting-before-remove");
    files.remove(path);
  }
}

/** Without those that had reached their heads when another process was killed here. */
function notTaken(journal: Journal, events: readonly WaitingEvent[]): readonly WaitingEvent[] {
  const taken = events.findLastIndex(({ event }) => journal.head(event.path)?.eventId === event.id);
  return events.slice(taken + 1);
}

/**
 * Where the path is what the event was computed from, as if it came now. Where somebody has moved it since, their state
 * stays the newest, and the one that waited is one of the earlier ones: owners and content are kept for its commit.
 */
function takeEvent(journal: EpochJournal, { event, from, content }: WaitingEvent): void {
  const head = journal.head(event.path);
  const { state } = event;
  const isMoved = head !== undefined && head.current.digest !== from;
  if (!isMoved || state === undefined || state.digest === head.current.digest) {
    journal.append(event, content);
    return;
  }
  const waited = applyEvent({ ...head, current: state }, event);
  const carried: PathHead = {
    ...head,
    agents: joinAgents(waited.agents, head.agents),
    humans: { ...waited.humans, ...head.humans },
    evidence: { ...waited.evidence, ...head.evidence },
    earlier: [state, ...head.earlier.filter(({ digest }) => digest !== state.digest)],
    begun: waited.begun,
  };
  const { id, at, path } = event;
  journal.append({ id, at, path, kind: "carry", owner: null, state, carried }, content);
}

/**
 * Puts a head that is still pending into the epoch after a commit, unless that one already knows the path. The
 * contents of its states come from the epoch that it stood in. Under `withJournalLock`.
 */
export function carryHead(
  deps: JournalDeps,
  { from, to }: { readonly from: Epoch; readonly to: Epoch },
  head: PathHead,
): void {
  const { files } = deps;
  if (readPathHead(files, to, head.path) !== undefined) return;
  files.makeFolder(pathFolder(to, head.path));
  bringContents(files, { from, to }, head);
  if (hasOwners(head)) files.createIfAbsent(ownedPath(to), Buffer.alloc(0));
  const id = randomHex(deps.random, 16);
  const carried = { ...head, eventId: id };
  const event: JournalEvent = {
    id,
    at: deps.clock.nowMs(),
    path: head.path,
    kind: "carry",
    owner: null,
    carried,
  };
  appendEvent(files, logPath(to), event);
  fault("journal:after-carry-append-before-head");
  writePathHead(files, to, carried);
}

/** Makes sure that every state which the head names has its content in the later epoch's directory. */
function bringContents(
  files: Files,
  { from, to }: { readonly from: Epoch; readonly to: Epoch },
  head: PathHead,
): void {
  // what a session left is told by its digest: a cut is found by what it cut
  const produced = Object.values(head.produced ?? {}).map((digest) => ({ ...head.current, digest }));
  for (const state of [head.current, ...head.earlier, ...produced]) {
    const content = state.digest === "" ? undefined : readStateContent(files, from, head, state);
    if (content !== undefined) {
      files.createIfAbsent(stateContentPath(to, head.path, state), content, { mode: 0o600 });
    }
  }
}

function beginEpoch(
  repository: Repository,
  files: Files,
  { before, base }: { before: readonly Epoch[]; base: BaseCommit },
): Epoch {
  // what a shell call was begun with is compared when it ends, on whatever commit HEAD is then
  const isWatched = hasShellCalls(repository, files);
  for (const epoch of before) if (!isWatched && isSpent(epoch, files)) files.removeTree(epoch.folder);
  const epoch = makeEpoch(repository, (before.at(-1)?.sequence ?? 0) + 1, base);
  files.makeFolder(pathsFolder(epoch));
  return epoch;
}

/** True if an epoch holds no owner to settle and no call that is still under way. */
function isSpent(epoch: Epoch, files: Files): boolean {
  if (isOwned(epoch, files)) return false;
  for (const head of readPathHeads(files, epoch)) if (head.begun.length > 0) return false;
  return true;
}

interface FoundHead {
  readonly head: PathHead;
  readonly epoch: Epoch;
}

function openJournal(deps: JournalDeps, epoch: Epoch, epochs: readonly Epoch[]): EpochJournal {
  const { files } = deps;
  const earlierEpochs = epochs.filter((other) => other.sequence < epoch.sequence).reverse();
  let owned = isOwned(epoch, files);
  // nobody else moves a head while the lock is held
  const known = new Map<RepoPath, FoundHead | undefined>();

  function find(path: RepoPath): FoundHead | undefined {
    if (!known.has(path)) known.set(path, search(path));
    return known.get(path);
  }

  function search(path: RepoPath): FoundHead | undefined {
    for (const candidate of [epoch, ...earlierEpochs]) {
      const head = readPathHead(files, candidate, path);
      if (head !== undefined) return { head, epoch: candidate };
    }
    return undefined;
  }

  function dropContents(before: PathHead | undefined, after: PathHead): void {
    if (before === undefined) return;
    const kept = new Set([after.current, ...after.earlier].map((state) => state.digest));
    for (const state of [before.current, ...before.earlier]) {
      if (state.digest !== "" && !kept.has(state.digest))
        files.remove(stateContentPath(epoch, after.path, state));
    }
  }

  const journal: EpochJournal = {
    epoch,
    head: (path) => find(path)?.head,
    content(head, state) {
      for (const candidate of [epoch, ...earlierEpochs]) {
        const content = readStateContent(files, candidate, head, state);
        if (content !== undefined) return content;
      }
      return undefined;
    },
    record: (newEvent, content) =>
      journal.append({ id: randomHex(deps.random, 16), at: deps.clock.nowMs(), ...newEvent }, content),
    append(event, content) {
      const found = find(event.path);
      const head = applyEvent(found?.head, event);
      files.makeFolder(pathFolder(epoch, event.path));
      if (found !== undefined && found.epoch !== epoch)
        bringContents(files, { from: found.epoch, to: epoch }, found.head);
      const state = event.state ?? head.current;
      if (content !== undefined && state.digest !== "") {
        files.createIfAbsent(stateContentPath(epoch, head.path, state), content, { mode: 0o600 });
      }
      fault("journal:after-content-before-append");
      if (!owned && hasOwners(head)) {
        files.createIfAbsent(ownedPath(epoch), Buffer.alloc(0));
        owned = true;
      }
      // the first event of a path that came from an earlier epoch must stand alone in this log
      if (found !== undefined && found.epoch !== epoch)
        appendEvent(files, logPath(epoch), carryEvent(found.head, event));
      appendEvent(files, logPath(epoch), event);
      fault("journal:after-append-before-head");
      writePathHead(files, epoch, head);
      known.set(event.path, { head, epoch });
      fault("journal:after-head");
      dropContents(found?.head, head);
      return head;
    },
  };
  return journal;
}

/** The event that says where a head stood when its path was first touched in a new epoch. */
function carryEvent(head: PathHead, cause: JournalEvent): JournalEvent {
  return {
    id: `${cause.id}-carry`,
    at: cause.at,
    path: head.path,
    kind: "carry",
    owner: null,
    carried: head,
  };
}
