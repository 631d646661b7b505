import type { Oid } from "../../git/ids.ts";
import type { FilePatch } from "../../git/objects/patch.ts";
import { type AuthorshipLog, emptyAuthorshipLog, normalisePath, ownersByPath } from "../note/log.ts";
import { overriddenBeforeCommit, resolveOwner } from "../note/owners.ts";
import { addedRanges, countDeleted, inRanges, ownRanges } from "../rules/added-lines.ts";
import { clipRuns, countLines, keyAtLine, type OwnerRuns } from "../rules/owner-runs.ts";
import type { ListedCommit } from "./commit-list.ts";
import {
  clipTracked,
  mapThroughHunks,
  markPresent,
  type ReplacedLine,
  type TrackedRun,
  type TrackedRuns,
  trackLines,
  uniteRuns,
} from "./line-survival.ts";
import { openTallyBook, type Tally } from "./tally.ts";

export interface StatsCounter {
  /** Takes a commit after all its parents in the range. */
  add(change: CommitChange): void;
  finish(): Tally;
}

export interface CommitChange {
  readonly commit: ListedCommit;
  /** Its changes against each parent; a root commit has one list. */
  readonly patches: readonly (readonly FilePatch[])[];
  /** Its note, if it has one. */
  readonly log: AuthorshipLog | undefined;
}

export interface StatsCounterOptions {
  readonly commits: readonly ListedCommit[];
  readonly end: Oid;
  readonly isIgnored: (path: string) => boolean;
}

/** Agents' lines of the range in the files of one commit, by path. */
type TreeState = Map<string, TrackedRuns>;

/** One commit while it is counted. */
interface CountedCommit {
  readonly commit: Oid;
  readonly log: AuthorshipLog;
  readonly owners: ReturnType<typeof ownersByPath>;
  /** Agents' lines of the first parent; becomes that of the commit. */
  readonly state: TreeState;
  /** For a merge: the other parents' lines, and the changes against them by new path. */
  readonly others: readonly OtherParent[];
}

interface OtherParent {
  readonly state: TreeState;
  readonly patches: ReadonlyMap<string, FilePatch>;
}

/**
 * Counts added lines by owner, and follows each agent's line through the later commits of the range to see whether it
 * stays. A commit adds what differs from all its parents, so a merge adds only what it resolves itself.
 */
export function createStatsCounter({ commits, end, isIgnored }: StatsCounterOptions): StatsCounter {
  const book = openTallyBook();
  const states = createStateStore(commits, end);

  /** Counts the lines that a commit itself adds to a file, and answers those of agents. */
  function countOwn({ commit, log }: CountedCommit, path: string, claims: OwnerRuns): TrackedRun[] {
    return claims.flatMap(({ first, last, key }): TrackedRun[] => {
      const owner = resolveOwner(log.metadata, key);
      const count = last - first + 1;
      if (owner?.kind === "human") book.addHuman(path, owner, count);
      if (owner?.kind !== "agent") return [];
      const lines = trackLines(owner.session, count);
      const isFirst = book.addAgent(path, owner, { commit, lines });
      if (isFirst) book.addOverriddenBefore(owner, overriddenBeforeCommit(log.metadata, owner.session));
      return [{ first, count, lines, offset: 0 }];
    });
  }

  function countFile(counted: CountedCommit, patch: FilePatch, before: TrackedRuns): void {
    const { state, others } = counted;
    const { oldPath, newPath } = patch;
    if (oldPath !== undefined && newPath !== undefined && oldPath !== newPath) book.rename(oldPath, newPath);
    const own = ownRanges(
      patch,
      others.map((other) => other.patches),
    );
    const claims = clipRuns(counted.owners.get(normalisePath(newPath ?? ""))?.runs ?? [], own);
    const mapped = patch.binary ? { kept: [], replaced: [] } : mapThroughHunks(before, patch.hunks);
    markOverridden(mapped.replaced, (line) =>
      inRanges(own, line) ? ownerAt(counted, claims, line) : undefined,
    );
    const path = newPath ?? oldPath ?? "";
    const isCounted = !isIgnored(path);
    if (isCounted) book.addLines(path, countLines(own), others.length === 0 ? countDeleted(patch.hunks) : 0);
    if (newPath === undefined) return;
    let runs = mapped.kept;
    for (const other of others) {
      runs = uniteRuns(runs, clipTracked(linesOfParent(other, newPath), addedRanges(patch.hunks)));
    }
    if (isCounted) runs = uniteRuns(runs, countOwn(counted, newPath, claims));
    if (runs.length > 0) state.set(newPath, runs);
  }

  return {
    add({ commit: { commit, parents }, patches: [first = [], ...others], log = emptyAuthorshipLog }) {
      book.begin(commit);
      const counted: CountedCommit = {
        commit,
        log,
        owners: ownersByPath(log),
        state: states.take(parents[0]),
        others: others.map((patches, index) => ({
          state: states.take(parents[index + 1]),
          patches: new Map(patches.map((patch) => [patch.newPath ?? "", patch])),
        })),
      };
      // all taken out before any is put back: a commit may swap two names
      const before = first.map(({ oldPath = "" }) => counted.state.get(oldPath) ?? []);
      for (const { oldPath = "" } of first) counted.state.delete(oldPath);
      for (const [index, patch] of first.entries()) countFile(counted, patch, before[index] ?? []);
      states.put(commit, counted.state);
    },
    finish() {
      for (const runs of states.take(end).values()) markPresent(runs);
      return book.close();
    },
  };
}

/** Session of a line that a commit added, `""` for anybody else. */
function ownerAt({ log }: CountedCommit, claims: OwnerRuns, line: number): string {
  const key = keyAtLine(claims, line);
  const owner = key === undefined ? undefined : resolveOwner(log.metadata, key);
  return owner?.kind === "agent" ? owner.session : "";
}

/** `ownerOf` answers undefined where no line of the commit itself stands in the place of the old one. */
function markOverridden(
  replaced: readonly ReplacedLine[],
  ownerOf: (line: number) => string | undefined,
): void {
  for (const { lines, offset, newLine } of replaced) {
    const owner = newLine === undefined ? undefined : ownerOf(newLine);
    if (owner !== undefined && owner !== lines.session) lines.overridden[offset] = 1;
  }
}

/** What another parent of a merge had in a file, at the line numbers of the merge. */
function linesOfParent({ state, patches }: OtherParent, path: string): TrackedRuns {
  const patch = patches.get(path);
  if (patch === undefined) return state.get(path) ?? [];
  if (patch.oldPath === undefined || patch.binary) return [];
  return mapThroughHunks(state.get(patch.oldPath) ?? [], patch.hunks).kept;
}

interface StateStore {
  /** A commit's state, to change freely; the last child that asks gets the state itself, others a copy. */
  take(commit: Oid | undefined): TreeState;
  put(commit: Oid, state: TreeState): void;
}

/** Keeps the state of a commit only as long as children of it are to come. */
function createStateStore(commits: readonly ListedCommit[], end: Oid): StateStore {
  const states = new Map<Oid, TreeState>();
  const waiting = new Map<Oid, number>([[end, 1]]);
  for (const parent of commits.flatMap(({ parents }) => parents)) {
    waiting.set(parent, (waiting.get(parent) ?? 0) + 1);
  }
  return {
    take(commit) {
      const state = commit === undefined ? undefined : states.get(commit);
      if (commit === undefined || state === undefined) return new Map();
      const left = (waiting.get(commit) ?? 1) - 1;
      waiting.set(commit, left);
      if (left > 0) return new Map(state);
      states.delete(commit);
      return state;
    },
    put: (commit, state) => void states.set(commit, state),
  };
}
