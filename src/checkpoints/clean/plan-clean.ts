import { join } from "node:path";
import { searchFolder } from "../query/search/search-index.ts";
import { maxFetchedPacks } from "../record/limits.ts";
import { safetyRefPrefix } from "../rewind/rewind-record.ts";
import type { CleanItem } from "./clean-item.ts";
import type { CleanFacts, CleanRef, RewindFacts } from "./read-facts.ts";
import type { SessionLeftovers } from "./session-leftovers.ts";

export interface CleanRequest {
  readonly commonDir: string;
  readonly nowMs: number;
  /** What belongs to a session or a rewind goes only if nothing was heard of it for so long. */
  readonly olderThanMs: number;
  /** The search index as well. */
  readonly all: boolean;
}

export interface CleanPlan {
  readonly items: readonly CleanItem[];
  /** Old enough, and still needed. */
  readonly kept: readonly { readonly sessionId: string; readonly why: string }[];
}

/** Decides what can go; pure. */
export function planClean(facts: CleanFacts, request: CleanRequest): CleanPlan {
  const { all, commonDir, nowMs, olderThanMs } = request;
  const isOld = (atMs: number) => nowMs - atMs > olderThanMs;
  const old = facts.sessions.filter(({ lastMs }) => isOld(lastMs));
  const live = new Set(facts.sessions.flatMap(({ id, statePath }) => (statePath === undefined ? [] : [id])));
  const items: CleanItem[] = [
    ...facts.refs.flatMap((ref) => planRef(ref, { live, rewinds: facts.rewinds, isOld })),
    ...old.flatMap((session) => (session.neededFor === undefined ? [...planSession(session)] : [])),
    ...facts.rewinds.flatMap((rewind) => [...planRewind(rewind, isOld)]),
    ...facts.searchFolders
      .filter((path) => all || path !== searchFolder(commonDir))
      .map((path) => ({ kind: "search index" as const, path })),
    ...facts.crashReports.map((path) => ({ kind: "crash report" as const, path })),
    ...facts.temporaryFiles.map((path) => ({ kind: "temporary file" as const, path })),
    ...facts.staleQuarantines.map((path) => ({ kind: "interrupted fetch" as const, path })),
    ...planPacks(facts),
  ];
  return {
    items: [...items, ...planOwners(facts, { items, commonDir, isOld })],
    kept: old.flatMap(({ id, neededFor }) =>
      neededFor === undefined ? [] : [{ sessionId: id, why: neededFor }],
    ),
  };
}

/** Last: a moment that goes takes its owners with it. One is recorded after its owners, so what is new may be named soon. */
function planOwners(
  { keptOwners }: CleanFacts,
  {
    items,
    commonDir,
    isOld,
  }: {
    readonly items: readonly CleanItem[];
    readonly commonDir: string;
    readonly isOld: (atMs: number) => boolean;
  },
): CleanItem[] {
  const gone = new Set(items.flatMap((item) => ("ref" in item ? item.ref : [])));
  const owners = keptOwners.filter(({ refs, atMs }) => isOld(atMs) && refs.every((ref) => gone.has(ref)));
  return owners.length === 0
    ? []
    : [{ kind: "unused owners", path: join(commonDir, "keyframe", "owners"), owners }];
}

function planRef(
  { ref, oid, atMs, sessionId }: CleanRef,
  known: {
    readonly live: ReadonlySet<string>;
    readonly rewinds: readonly RewindFacts[];
    readonly isOld: (atMs: number) => boolean;
  },
): CleanItem[] {
  if (ref.startsWith("refs/entire-fetch-tmp/") || ref.startsWith("refs/keyframe/scratch/"))
    return [{ kind: "temporary ref", ref, oid }];
  if (ref.startsWith(safetyRefPrefix)) {
    // a rewind that can be taken back takes its snapshots with it
    const rewind = known.rewinds.find(({ safetyRef }) => safetyRef === ref);
    return rewind?.record === undefined && known.isOld(atMs) ? [{ kind: "rewind snapshots", ref, oid }] : [];
  }
  const isOrphan = isShadowBranch(ref) && sessionId !== undefined && !known.live.has(sessionId);
  return isOrphan ? [{ kind: "shadow branch", ref, oid }] : [];
}

/** Only names with both parts: people have branches called `entire/feature`. */
function isShadowBranch(ref: string): boolean {
  return /^refs\/heads\/entire\/[0-9a-f]{7}-[0-9a-f]{6}$/.test(ref);
}

/** The state last: as long as it is there, the rest is found again. */
function* planSession({ id, turns, captures, statePath }: SessionLeftovers): Generator<CleanItem> {
  for (const { ref, oid } of turns) yield { kind: "turn snapshots", ref, oid, sessionId: id };
  for (const { path, seenMs } of captures) yield { kind: "transcript copy", path, seenMs, sessionId: id };
  if (statePath !== undefined) yield { kind: "session state", path: statePath, sessionId: id };
}

function* planRewind(
  { record, recordPath, of, strayBackups }: RewindFacts,
  isOld: (atMs: number) => boolean,
): Generator<CleanItem> {
  // one that was cut off is finished or taken back by the user, however old it is
  if (record?.isDone === true && isOld(record.seenMs))
    yield { kind: "last rewind", path: recordPath, seenMs: record.seenMs, of };
  for (const { path, atMs } of strayBackups) if (isOld(atMs)) yield { kind: "rewind backup", path };
}

function planPacks({ fetchedPacks, hasTransfers }: CleanFacts): CleanItem[] {
  const whole = fetchedPacks.filter(({ isWhole }) => isWhole);
  // what a transfer has half adopted looks the same
  const remains = hasTransfers ? [] : fetchedPacks.filter(({ isWhole }) => !isWhole);
  const items: CleanItem[] = remains.map(({ name, sizeBytes }) => ({
    kind: "pack remains",
    name,
    sizeBytes,
  }));
  if (whole.length > maxFetchedPacks) {
    const sizeBytes = whole.reduce((sum, pack) => sum + pack.sizeBytes, 0);
    items.push({ kind: "fetched packs", names: whole.map(({ name }) => name), sizeBytes });
  }
  return items;
}
