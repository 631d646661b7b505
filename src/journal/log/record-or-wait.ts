import { KeyframeError } from "../../base/errors.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { randomHex } from "../../system/random.ts";
import { readPathHead, readStateContent } from "../heads/head-files.ts";
import { applyEvent } from "../heads/path-head.ts";
import type { JournalEvent } from "../journal-event.ts";
import { type BaseCommit, type Epoch, listEpochs, makeEpoch } from "../layout.ts";
import { hookLockTurns } from "../limits.ts";
import type { PathHead } from "../path-state.ts";
import { type Journal, type JournalDeps, withJournal } from "./journal.ts";
import { readWaiting, type WaitingEvent, writeWaiting } from "./waiting-files.ts";

/**
 * As `withJournal`, for a hook, which has no second chance: where another process keeps the lock for too long, `work` sees
 * what was recorded so far, and what it records waits in a file of its own for the next holder. So nothing is lost
 * because a process hangs.
 */
export function recordInJournal<T>(
  deps: JournalDeps,
  repository: Repository,
  base: BaseCommit,
  work: (journal: Journal) => T,
): T {
  let isHeld = false;
  try {
    return withJournal(
      deps,
      repository,
      base,
      (journal) => {
        isHeld = true;
        return work(journal);
      },
      hookLockTurns,
    );
  } catch (error) {
    if (isHeld || !(error instanceof KeyframeError) || error.code !== "lock-busy") throw error;
  }
  const { files, clock, random } = deps;
  const { journal, events } = openWaitingJournal(deps, repository, base);
  const result = work(journal);
  if (events.length > 0)
    writeWaiting(repository, { base, events }, { files, nowMs: clock.nowMs(), id: randomHex(random, 16) });
  return result;
}

/** A journal that reads without the lock and writes into memory. */
function openWaitingJournal(
  deps: JournalDeps,
  repository: Repository,
  base: BaseCommit,
): { readonly journal: Journal; readonly events: WaitingEvent[] } {
  const { files, clock, random } = deps;
  const epochs = listEpochs(repository, files).reverse();
  const contents = new Map<string, Buffer>();
  const heads = new Map<RepoPath, PathHead | undefined>();
  const events: WaitingEvent[] = [];

  const find = (path: RepoPath): PathHead | undefined => {
    if (!heads.has(path))
      heads.set(
        path,
        firstOf(epochs, (epoch) => readPathHead(files, epoch, path)),
      );
    return heads.get(path);
  };
  const apply = (event: JournalEvent, content: Uint8Array | undefined): PathHead => {
    const head = applyEvent(find(event.path), event);
    heads.set(event.path, head);
    if (content !== undefined) contents.set(head.current.digest, Buffer.from(content));
    return head;
  };
  // what waits already came before
  for (const { recording } of readWaiting(repository, files))
    for (const { event, content } of recording?.events ?? []) apply(event, content);

  const [last] = epochs;
  const journal: Journal = {
    epoch: last?.base === base ? last : makeEpoch(repository, (last?.sequence ?? 0) + 1, base),
    head: find,
    content: (head, state) =>
      contents.get(state.digest) ?? firstOf(epochs, (epoch) => readStateContent(files, epoch, head, state)),
    record(newEvent, content) {
      const from = find(newEvent.path)?.current.digest ?? null;
      const event: JournalEvent = { id: randomHex(random, 16), at: clock.nowMs(), ...newEvent };
      events.push({ event, from, ...(content === undefined ? {} : { content: Buffer.from(content) }) });
      return apply(event, content);
    },
  };
  return { journal, events };
}

function firstOf<T>(epochs: readonly Epoch[], read: (epoch: Epoch) => T | undefined): T | undefined {
  for (const epoch of epochs) {
    const found = read(epoch);
    if (found !== undefined) return found;
  }
  return undefined;
}
