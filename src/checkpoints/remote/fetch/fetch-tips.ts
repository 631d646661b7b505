import { errorText } from "../../../base/errors.ts";
import { borrowFetched } from "../../../git/fetched-objects.ts";
import type { Oid } from "../../../git/ids.ts";
import { incompleteTrees } from "../../../git/objects/tree.ts";
import { type FetchContext, fetchTrees, fetchWhole } from "../../../git/remote/fetch.ts";
import { joinFetchedPacks, listFetchedPacks } from "../../../git/remote/fetched-packs.ts";
import { listMisplacedPacks, moveMisplaced } from "../../../git/remote/misplaced-objects.ts";
import type { Have } from "../../../git/remote/quarantine.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import { fault } from "../../../system/fault.ts";
import { type CheckpointId, checkpointRef, checkpointRefPrefix } from "../../record/ids.ts";
import { mostFetchedPacks } from "../../record/limits.ts";
import { readStoreRefs, v1Branch, v2FullPrefix, v2Main } from "../../stores/layout-refs.ts";
import { type FetchedRemote, readFetchedRemote, writeFetchedRemote } from "../remote-state.ts";

export interface SyncContext extends FetchContext {
  /** Says what happens and could surprise; one line. */
  note(text: string): void;
}

/** Refs under which a remote keeps checkpoints: all, or those where these may be. */
export function checkpointPatterns(ids?: readonly CheckpointId[]): string[] {
  const shared = [v1Branch, v2Main, `${v2FullPrefix}*`];
  if (ids === undefined) return [v1Branch, `${checkpointRefPrefix}*`];
  // what has a ULID was never stored elsewhere than on its own ref
  const mayBeShared = ids.some((id) => id.length === 12);
  return [...(mayBeShared ? shared : []), ...ids.map(checkpointRef)];
}

export interface TipsReport {
  readonly remote: FetchedRemote;
  readonly receivedBytes: number;
  /** False: the remote cannot leave files out, so the refs came in full. */
  readonly treesOnly: boolean;
}

/**
 * Learns what checkpoints a remote has: the trees of the tips, without their files where the remote can do that. Local
 * refs do not move.
 * @throws KeyframeError `remote-failed`, `damaged`, `timed-out`, `disk-full`
 */
export async function fetchCheckpointTips(
  context: SyncContext,
  remote: Remote,
  patterns: readonly string[],
): Promise<TipsReport> {
  const place = { repository: context.git.repository, files: context.files };
  await healRepository(context);
  const known = readFetchedRemote(place, remote);
  const found = await fetchTrees(context, remote, { patterns, haves: await havesOf(context, known) });
  if (found === undefined) {
    context.note(`${remote.name} cannot send trees without files: fetching in full`);
    return { ...(await fetchTipsWhole(context, remote, patterns)), treesOnly: false };
  }
  fault("fetch:after-adopt-before-tips");
  const tips = found.tips.map((tip) => ({ ...tip, whole: isKnownWhole(known, tip) }));
  const updated = remember(context, remote, { patterns, tips });
  await keepFewPacks(context);
  return { remote: updated, receivedBytes: found.receivedBytes, treesOnly: true };
}

/** Each fetch and each push that joins brings packs, and git looks through all of them. */
async function keepFewPacks(context: SyncContext): Promise<void> {
  const packs = listFetchedPacks(context.git, context.files).filter(({ isWhole }) => isWhole);
  if (packs.length <= mostFetchedPacks) return;
  try {
    const names = packs.map(({ name }) => name);
    await context.trace.span("join packs", () => joinFetchedPacks(context.git, context, names));
  } catch (error) {
    // another process joins them at the same time, or something holds it up: the next fetch tries again
    context.note(`packs of fetches stay apart for now: ${errorText(error)}`);
  }
}

/** Once in the life of a repository in which an earlier version fetched. */
export async function healRepository(context: SyncContext): Promise<void> {
  if (listMisplacedPacks(context.git, context.files).length === 0) return;
  await context.trace.span("heal", () => moveMisplaced(context.git, context));
}

/** The same with all files and the whole history, for remotes that cannot do less. */
export async function fetchTipsWhole(
  context: SyncContext,
  remote: Remote,
  patterns: readonly string[],
): Promise<Omit<TipsReport, "treesOnly">> {
  const prefix = wholePrefix(remote);
  const before = await packedBytes(context);
  const tips = await fetchWhole(context, remote, { patterns, prefix });
  fault("fetch:after-adopt-before-tips");
  const updated = remember(context, remote, {
    patterns,
    tips: tips.map((tip) => ({ ...tip, whole: true })),
  });
  return { remote: updated, receivedBytes: Math.max(0, (await packedBytes(context)) - before) };
}

/** Refs that keep what came in full; their history is complete, so git's own clean-up has nothing to stumble over. */
function wholePrefix({ key }: Remote): string {
  return `refs/keyframe/remotes/${key}/`;
}

function isKnownWhole(
  known: FetchedRemote,
  { ref, oid }: { readonly ref: string; readonly oid: Oid },
): boolean {
  return known.tips.some((tip) => tip.ref === ref && tip.oid === oid && tip.whole);
}

/** What the remote holds of the refs that were asked for, beside what is known of others. */
export function remember(
  context: SyncContext,
  remote: Remote,
  { patterns, tips }: { readonly patterns: readonly string[]; readonly tips: FetchedRemote["tips"] },
): FetchedRemote {
  const place = { repository: context.git.repository, files: context.files };
  const asked = (ref: string) =>
    patterns.some((pattern) =>
      pattern.endsWith("*") ? ref.startsWith(pattern.slice(0, -1)) : ref === pattern,
    );
  // read again: another process may have fetched meanwhile
  const others = readFetchedRemote(place, remote).tips.filter(({ ref }) => !asked(ref));
  const updated = { key: remote.key, name: remote.name, tips: [...others, ...tips] };
  writeFetchedRemote(place, updated);
  return updated;
}

/** What the remote need not send again: what was fetched before, and what the repository's own refs hold. */
async function havesOf({ git, files }: SyncContext, known: FetchedRemote): Promise<Have[]> {
  const stored = await readStoreRefs(git);
  const own = [...stored.v1, stored.v2Main, stored.v2Current, ...stored.v2Archives];
  const haves = new Map<Oid, Have>();
  for (const at of own) if (at !== undefined) haves.set(at.oid, { oid: at.oid, treesOnly: false });
  for (const { oid, whole } of known.tips) if (!haves.has(oid)) haves.set(oid, { oid, treesOnly: !whole });
  const some = [...haves.values()].slice(0, maxHaves);
  // a tree that was here already when the rest was fetched can have been pruned since
  const broken = await incompleteTrees(
    borrowFetched(git, files),
    some.map(({ oid }) => oid),
  );
  return some.filter(({ oid }) => !broken.has(oid));
}

const maxHaves = 256;

/** Loose objects and packs, as git counts them. */
async function packedBytes({ git }: SyncContext): Promise<number> {
  const text = await git.text(["count-objects", "-v"]);
  const kib = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  return (kib("size") + kib("size-pack")) * 1024;
}
