import { join } from "node:path";
import { errorText } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import type { CommitPatch } from "../../git/objects/file-patch.ts";
import { type ObjectReader, openObjectReader, readInOrder } from "../../git/objects/objects.ts";
import { readCommitPatches } from "../../git/objects/patch.ts";
import type { Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { pruneAndListShellCalls } from "../../journal/calls/shell-calls.ts";
import {
  type Epoch,
  hasShellCalls,
  isOwned,
  journalFolder,
  listEpochs,
  ownedPath,
} from "../../journal/layout.ts";
import { lockTimeoutMs } from "../../journal/limits.ts";
import { carryHead, withJournal, withJournalLock } from "../../journal/log/journal.ts";
import { hasWaiting } from "../../journal/log/waiting-files.ts";
import { recordProblem } from "../../state/problems.ts";
import { fault } from "../../system/fault.ts";
import { acquireLock } from "../../system/locks/lock-file.ts";
import { findNewCommits, type NewCommits } from "../carry/new-commits.ts";
import { authorIdentity } from "../edits/author-identity.ts";
import type { ObserveDeps } from "../edits/edit-cause.ts";
import type { AuthorshipLog } from "../note/log.ts";
import { keepStashes } from "../shell/keep-stashes.ts";
import { creditCommitInShell } from "../shell/shell-commits.ts";
import { carryIntoCommits } from "./carried-commits.ts";
import { claimCommit, type NotedCommit, readNotedCommit } from "./commit-claims.ts";
import { classifyHeadMove, type HeadMove } from "./head-moves.ts";
import { listRewrites, readHeadReflog } from "./head-reflog.ts";
import { findLateModels } from "./late-models.ts";
import { writeNoteBatch } from "./note-batch.ts";
import { loadPendingPaths, type PendingPaths, withoutCommitted } from "./pending-paths.ts";
import { followRenames } from "./pending-renames.ts";
import { claimRewrites, type Rewrite } from "./rewritten-commits.ts";
import { buildLog } from "./settled-note.ts";

export interface SettleOutcome {
  /** Commits whose notes now say what was pending, oldest first. */
  readonly settled: readonly Oid[];
  readonly problems: readonly string[];
}

/** A commit that may hold what was pending, while the journal still knows what that was. */
export interface SettledCommit {
  readonly commit: Oid;
  /** The commit whose place it took, for an amend. */
  readonly replaces?: Oid;
}

export interface SettleOptions {
  /**
   * Told of the commits that touch a pending path, oldest first, when their notes are written and before the journal
   * releases their work. Told again after a crash.
   */
  readonly beforeRelease?: (commits: readonly SettledCommit[]) => Promise<void>;
  /** Commits that were rewritten, as git's `post-rewrite` hook tells. */
  readonly rewrites?: readonly Rewrite[];
  /**
   * False in a hook, which has no time to look for what no hook reported: where the lines of new commits come from that
   * nobody was seen writing. The next command does.
   */
  readonly searches?: boolean;
  /** True in git's `post-commit` hook: this process descends from whoever made the commit at HEAD. */
  readonly isCommitHook?: boolean;
}

/**
 * Writes the notes of commits that hold pending work, carries the notes of rewritten commits to their successors, and
 * keeps pending what was not committed. Idempotent: it can run in a hook, later by any command, or again after a crash
 * at any moment, with the same notes as result. The journal releases work only when its notes are written.
 * @throws KeyframeError `lock-busy` if another process settles for longer than the time limit
 */
export async function settle(
  git: Git,
  deps: ObserveDeps,
  options: SettleOptions = {},
): Promise<SettleOutcome> {
  const { repository } = git;
  if (repository.workTree === undefined) return { settled: [], problems: [] };
  keepStashes(repository, deps);
  const reflog = readHeadReflog(repository, deps.files);
  const lock = join(journalFolder(repository), "settle.lock");
  // a lock that is there belongs to one at work, whose result is waited for, or to one that was killed
  const hasPending = hasPendingWork(repository, deps) || deps.files.statIfExists(lock) !== undefined;
  const fresh = options.searches === false ? nothingNew : await findNewCommits(git, deps.files);
  const isIdle = !hasPending && reflog.replacements.length === 0 && (options.rewrites ?? []).length === 0;
  if (isIdle && fresh.commits.length === 0) {
    reflog.accept();
    fresh.accept();
    return { settled: [], problems: [] };
  }
  deps.files.makeFolder(journalFolder(repository));
  const release = acquireLock(deps, lock, { timeoutMs: lockTimeoutMs, onTakeover: () => undefined });
  const work: SettleWork = { git, deps, options, reader: openObjectReader(git) };
  try {
    const carryAll = async (settled: ReadonlySet<Oid>) => {
      const told = await listRewrites(git, reflog.replacements);
      const rewrites = [...(options.rewrites ?? []), ...told];
      await settleRewrites(work, rewrites);
      reflog.accept();
      const carried = await carryIntoCommits({ ...work, ...deps }, fresh.commits, { rewrites, settled });
      await writeNoteBatch(work, { logs: carried, precedence: "existing" });
      fresh.accept();
    };
    const outcome = hasPending ? await settlePending(work, carryAll) : { settled: [], problems: [] };
    if (!hasPending) await carryAll(new Set());
    for (const what of outcome.problems) {
      recordProblem(repository, deps.files, { at: deps.clock.nowMs(), where: "settle", what });
    }
    return outcome;
  } finally {
    await work.reader.close().catch(() => undefined); // its failure was the failure of a read, reported there
    release();
  }
}

const nothingNew: NewCommits = { commits: [], accept: () => undefined };

interface SettleWork {
  readonly git: Git;
  readonly reader: ObjectReader;
  readonly deps: ObserveDeps;
  readonly options: SettleOptions;
}

/** True if HEAD has moved away from an epoch that holds owners, a shell call may have committed, or a hook got no lock. */
function hasPendingWork(repository: Repository, deps: ObserveDeps): boolean {
  const base = readBaseCommit(repository, deps.files, deps.processes);
  const epochs = listEpochs(repository, deps.files);
  return (
    hasWaiting(repository, deps.files) ||
    epochs.some(
      (epoch, index) => (epoch.base !== base || index < epochs.length - 1) && isOwned(epoch, deps.files),
    ) ||
    pruneAndListShellCalls(repository, deps).some((call) => call.base !== base)
  );
}

/** @param carryAll looks for the other new commits' owners; to be called while the journal still knows what it knew */
async function settlePending(
  work: SettleWork,
  carryAll: (settled: ReadonlySet<Oid>) => Promise<void>,
): Promise<SettleOutcome> {
  const { git, deps, options } = work;
  const { beforeRelease } = options;
  const { repository } = git;
  const base = readBaseCommit(repository, deps.files, deps.processes);
  const problems: string[] = [];
  const nothing = async (): Promise<SettleOutcome> => {
    await carryAll(new Set());
    return { settled: [], problems };
  };
  if (!isOid(base)) return nothing();
  try {
    creditCommitInShell(repository, { head: base, isCommitHook: work.options.isCommitHook ?? false }, deps);
  } catch (error) {
    problems.push(`commits made in a shell call could not be looked at: ${errorText(error)}`);
  }
  // from here on recordings go to the epoch of the new HEAD, so the older ones hold still
  withJournal(deps, repository, base, () => undefined);
  const epochs = listEpochs(repository, deps.files);
  const last = epochs.at(-1);
  if (last === undefined || epochs.length === 1) return nothing();
  const plan = await planSettlement(work, epochs);
  fault("settle:before-notes");
  problems.push(...(await writeNoteBatch(work, { logs: plan.logs, precedence: "ours" })));
  fault("settle:after-notes");
  if (beforeRelease !== undefined && plan.commits.length > 0) {
    try {
      await beforeRelease(plan.commits);
    } catch (error) {
      problems.push(`conversations of commits that no hook saw are not linked: ${errorText(error)}`);
    }
  }
  await carryAll(plan.examined);
  withJournalLock(deps, repository, () => {
    for (const { head, epoch } of plan.pending.values()) {
      if (epoch !== last) carryHead(deps, { from: epoch, to: last }, head);
    }
    fault("settle:after-carry");
    for (const epoch of epochs.slice(0, -1)) {
      // without its mark a half-removed epoch holds nothing to settle
      deps.files.remove(ownedPath(epoch));
      fault("settle:before-remove");
      deps.files.removeTree(epoch.folder);
    }
  });
  return { settled: [...plan.logs.keys()], problems };
}

async function settleRewrites(work: SettleWork, rewrites: readonly Rewrite[]): Promise<void> {
  if (rewrites.length === 0) return;
  const logs = await claimRewrites({ ...work, files: work.deps.files }, rewrites);
  // a note that the successor has already was settled from its own evidence
  await writeNoteBatch(work, { logs, precedence: "existing" });
}

interface Settlement {
  readonly logs: Map<Oid, AuthorshipLog>;
  readonly pending: PendingPaths;
  /** Those that touch what was pending before them. */
  readonly commits: readonly SettledCommit[];
  /** Every commit that was asked of the journal. */
  readonly examined: ReadonlySet<Oid>;
}

/** Goes through the epochs in order of time: what each commit between them settles, and what stays pending at the end. */
async function planSettlement(work: SettleWork, epochs: readonly Epoch[]): Promise<Settlement> {
  const { files, processes } = work.deps;
  const logs = new Map<Oid, AuthorshipLog>();
  const humanAuthor = authorIdentity(work.git.repository, processes);
  const commits: SettledCommit[] = [];
  const examined = new Set<Oid>();
  let pending: PendingPaths = new Map();
  for (const [index, epoch] of epochs.entries()) {
    pending = loadPendingPaths(files, epoch, pending);
    const next = epochs[index + 1];
    if (next === undefined || !isOid(next.base)) continue;
    const move = await classifyHeadMove(
      { ...work, files },
      {
        from: epoch.base,
        to: next.base,
        paths: [...pending.keys()],
        sinceMs: files.statIfExists(epoch.folder)?.birthMs ?? 0,
      },
    );
    for await (const { patch, replaced } of commitsOfMove(work, move)) {
      const followed = await followRenames({ ...work, ...work.git, files }, patch, pending);
      examined.add(patch.commit);
      pending = followed.pending;
      const claimable = followed.claimable;
      const found = await claimCommit(work.reader, patch, { files, pending: claimable, replaced });
      const models = await findLateModels(found.claims, { repository: work.git.repository, files });
      const log = buildLog({ commit: patch.commit, humanAuthor, models, ...found });
      if (log !== undefined) logs.set(patch.commit, log);
      if (touchesPending(patch, claimable)) {
        const replaces = move.kind === "replaced" ? { replaces: move.from } : {};
        commits.push({ commit: patch.commit, ...replaces });
      }
      pending = await afterCommit(work, patch, pending);
    }
  }
  return { logs, pending, commits, examined };
}

function touchesPending({ files }: CommitPatch, pending: PendingPaths): boolean {
  return files.some(({ oldPath, newPath }) =>
    [oldPath, newPath].some((path) => path !== undefined && pending.has(path)),
  );
}

async function* commitsOfMove(
  work: SettleWork,
  move: HeadMove,
): AsyncGenerator<{ readonly patch: CommitPatch; readonly replaced: readonly NotedCommit[] }> {
  const commits = move.kind === "replaced" ? [move.commit] : move.commits;
  const replaced = move.kind === "replaced" ? [await readNotedCommit(work, move.from)] : [];
  for await (const patch of readCommitPatches(work.git, commits)) yield { patch, replaced };
}

/** The pending paths with what the commit holds taken out. */
async function afterCommit(
  { git, reader, deps }: SettleWork,
  patch: CommitPatch,
  pending: PendingPaths,
): Promise<PendingPaths> {
  const next: PendingPaths = new Map(pending);
  const isWatched = hasShellCalls(git.repository, deps.files);
  const cut = new Set(
    patch.files.flatMap(({ newPath, hunks }) =>
      hunks.some(({ oldCount, newCount }) => oldCount > newCount) ? [newPath] : [],
    ),
  );
  const touched = new Set(patch.files.flatMap(({ oldPath, newPath }) => [oldPath, newPath]));
  const waiting = [...touched].filter((path) => path !== undefined && pending.has(path)) as RepoPath[];
  const blobs = readInOrder(
    reader,
    waiting.map((path) => `${patch.commit}:${path}`),
  );
  for (const path of waiting) {
    const blob = (await blobs.next()).value ?? undefined;
    const committed = blob?.type === "blob" ? blob.content : null;
    const known = pending.get(path);
    const left =
      known &&
      withoutCommitted(deps.files, known, committed, {
        isWatched,
        isStanding: () =>
          committed !== null && readStanding(git.repository, deps, path)?.equals(committed) === true,
        cuts: cut.has(path),
      });
    if (left === undefined) next.delete(path);
    else next.set(path, left);
  }
  return next;
}

function readStanding({ workTree }: Repository, { files }: ObserveDeps, path: RepoPath): Buffer | undefined {
  const absolute = workTree === undefined ? undefined : join(workTree, path);
  const isFile = absolute !== undefined && files.statIfExists(absolute)?.kind === "file";
  return isFile ? files.readIfExists(absolute) : undefined;
}
