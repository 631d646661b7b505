import { sha256Hex } from "../../base/digest.ts";
import type { RepoPath } from "../../git/ids.ts";
import { readPathHeads, readStateContent } from "../../journal/heads/head-files.ts";
import { isProduced } from "../../journal/heads/path-head.ts";
import type { Epoch } from "../../journal/layout.ts";
import {
  decodeLineOwners,
  encodeLineOwners,
  type LineOwnerRun,
  ownersIn,
} from "../../journal/line-owners.ts";
import type { PathHead } from "../../journal/path-state.ts";
import type { Files } from "../../system/files/files.ts";
import { createLineInterner } from "../rules/content-lines.ts";
import type { OwnedContent } from "../rules/ownership.ts";
import { rewrittenRegions } from "../rules/rewritten-lines.ts";
import { diffLines } from "../rules/sequence-diff.ts";

/** What waits for a commit, by path. Contents are read when they are asked for. */
export interface PendingPath {
  readonly head: PathHead;
  /** Whose directory holds the contents of the head's states. */
  readonly epoch: Epoch;
}

export type PendingPaths = Map<RepoPath, PendingPath>;

/** An epoch's heads over what came from the epoch before. */
export function loadPendingPaths(files: Files, epoch: Epoch, before: PendingPaths): PendingPaths {
  const pending: PendingPaths = new Map(before);
  for (const head of readPathHeads(files, epoch)) pending.set(head.path, { head, epoch });
  return pending;
}

/** The states that can tell who owns a committed file, newest first; those without lines left out. */
export function* readStates(files: Files, { head, epoch }: PendingPath): Generator<OwnedContent> {
  for (const state of [head.current, ...head.earlier]) {
    if (state.kind === "absent" || state.unlined !== undefined) continue;
    const content = readStateContent(files, epoch, head, state);
    if (content !== undefined) yield { content, runs: state.runs };
  }
}

/** What else is known of a path that was committed. */
export interface CommittedPath {
  /** True if the work tree holds what the commit holds. */
  readonly isStanding?: () => boolean;
  /** True if the commit takes lines out of the file. */
  readonly cuts?: boolean;
  /** True while a shell call is open: what it was begun with is compared when it ends. */
  readonly isWatched?: boolean;
}

/**
 * What is still pending of a path after a commit that holds `committed` for it (null: the commit has no such file):
 * lines that stand in the commit are settled. Undefined if nothing is left.
 */
export function withoutCommitted(
  files: Files,
  pending: PendingPath,
  committed: Uint8Array | null,
  { isStanding = () => false, cuts = false, isWatched = false }: CommittedPath = {},
): PendingPath | undefined {
  const { head, epoch } = pending;
  if (committed === null) return head.current.kind === "absent" ? keepBegun(pending, isWatched) : pending;
  if (sha256Hex(committed) === head.current.digest) return keepBegun(pending, isWatched);
  const content = readStateContent(files, epoch, head, head.current);
  if (content === undefined || head.current.unlined !== undefined)
    return isProduced(head) ? pending : keepBegun(pending, isWatched);
  const runs = ownersOfUncommitted({ content, runs: head.current.runs }, committed, isStanding);
  const isWaiting = isProduced(head) && !(cuts && isExtended(content, committed));
  if (ownersIn(runs).size === 0 && !isWaiting) return keepBegun(pending, isWatched);
  return { epoch, head: { ...head, current: { ...head.current, runs }, earlier: [], counters: {} } };
}

/** True if a content has every line of another, in order: what that one lacks, this one lacks by it. */
function isExtended(content: Uint8Array, by: Uint8Array): boolean {
  const interner = createLineInterner();
  const changes = diffLines(interner.intern(content), interner.intern(by));
  return changes.every(({ oldCount }) => oldCount === 0);
}

function ownersOfUncommitted(
  current: OwnedContent,
  committed: Uint8Array,
  isStanding: () => boolean,
): LineOwnerRun[] {
  const interner = createLineInterner();
  const old = interner.intern(committed);
  const next = interner.intern(current.content);
  const owners = decodeLineOwners(current.runs, next.count);
  let settledFrom = 0;
  for (const change of [...diffLines(old, next), undefined]) {
    const settledTo = change?.newStart ?? next.count;
    for (let line = settledFrom; line < settledTo; line += 1) owners[line] = null;
    settledFrom = settledTo + (change?.newCount ?? 0);
  }
  // a formatter left none of these as it was, in the commit and in the work tree
  for (const { old: lines } of isStanding() ? rewrittenRegions(current.content, committed) : [])
    owners.fill(null, lines.start, lines.start + lines.count);
  return encodeLineOwners(owners);
}

/** A path with no pending line stays only while a call of an agent's is under way: its state is the one before. */
function keepBegun({ head, epoch }: PendingPath, isWatched: boolean): PendingPath | undefined {
  if (head.begun.length === 0 && !isWatched) return undefined;
  const count = head.current.runs.reduce((sum, [lines]) => sum + lines, 0);
  const runs: LineOwnerRun[] = count === 0 ? [] : [[count, null]];
  // what a session produced is committed: it waits for nothing
  const settled = { earlier: [], counters: {}, produced: {} };
  return { epoch, head: { ...head, current: { ...head.current, runs }, ...settled } };
}
