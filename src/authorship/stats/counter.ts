import type { Oid } from "../../git/ids.ts";
import type { FilePatch } from "../../git/objects/file-patch.ts";
import { normalisePath } from "../note/log.ts";
import { addedRanges, countDeleted, ownRanges } from "../rules/added-lines.ts";
import { clipRuns, countLines, type LineRange, type OwnerRuns } from "../rules/owner-runs.ts";
import { type NoteClaims, ownerOf } from "./changes/note-claims.ts";
import type { ListedCommit } from "./commit-list.ts";
import {
  clipTracked,
  mapThroughHunks,
  markPresent,
  markReplaced,
  type ReplacedRun,
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
  /** What its note says, if it has one. */
  readonly claims: NoteClaims | undefined;
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
  readonly claims: NoteClaims | undefined;
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

  /** Counts the lines that a commit itself adds to a file, and returns those of agents. */
  function countOwn(counted: CountedCommit, path: string, claims: OwnerRuns): TrackedRun[] {
    const { commit } = counted;
    return claims.flatMap(({ first, last, key }): TrackedRun[] => {
      const owner = ownerOf(counted.claims, key);
      const count = last - first + 1;
      if (owner?.kind === "human") book.addHuman(path, owner, count);
      if (owner?.kind !== "agent") return [];
      const lines = trackLines(owner.session, count);
      const isFirst = book.addAgent(path, owner, { commit, lines });
      if (isFirst) book.addOverriddenBefore(owner, counted.claims?.overriddenBefore.get(owner.session) ?? 0);
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
    const claims = clipRuns(counted.claims?.files.get(normalisePath(newPath ?? "")) ?? [], own);
    const mapped = patch.binary ? { kept: [], replaced: [] } : mapThroughHunks(before, patch.hunks);
    markOverridden(mapped.replaced, { own, claims, note: counted.claims });
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
    add({ commit: { commit, parents }, patches: [first = [], ...others], claims }) {
      book.begin(commit);
      const counted: CountedCommit = {
        commit,
        claims,
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

/** Lines that a commit itself adds to a file, and who owns which of them. */
interface AddedLines {
  readonly own: readonly LineRange[];
  /** Within `own`. */
  readonly claims: OwnerRuns;
  readonly note: NoteClaims | undefined;
}

/** Marks the lines in whose place the commit itself puts somebody else's. */
function markOverridden(replaced: readonly ReplacedRun[], added: AddedLines): void {
  const stretches = replaced.length === 0 ? [] : bySession(added);
  let next = 0;
  for (const { lines, offset, newFirst, count } of replaced) {
    const newLast = newFirst + count - 1;
    while ((stretches[next]?.last ?? newFirst) < newFirst) next += 1;
    for (let index = next; index < stretches.length; index += 1) {
      const stretch = stretches[index];
      if (stretch === undefined || stretch.first > newLast) break;
      if (stretch.session === lines.session) continue;
      const first = Math.max(stretch.first, newFirst);
      const last = Math.min(stretch.last, newLast);
      markReplaced(lines, offset + first - newFirst, last - first + 1);
    }
  }
}

/** The added lines by session, `""` for anybody else than an agent. */
function bySession({ own, claims, note }: AddedLines): (LineRange & { readonly session: string })[] {
  const stretches: (LineRange & { session: string })[] = [];
  let next = 0;
  for (const range of own) {
    let first = range.first;
    for (let claim = claims[next]; claim !== undefined && claim.first <= range.last; claim = claims[next]) {
      if (claim.first > first) stretches.push({ first, last: claim.first - 1, session: "" });
      const owner = ownerOf(note, claim.key);
      const session = owner?.kind === "agent" ? owner.session : "";
      stretches.push({ first: claim.first, last: claim.last, session });
      first = claim.last + 1;
      next += 1;
    }
    if (first <= range.last) stretches.push({ first, last: range.last, session: "" });
  }
  return stretches;
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
