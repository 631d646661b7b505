import { listSearchFolders } from "../checkpoints/query/search/search-index.ts";
import { type Removed, removedRef } from "../checkpoints/record/removed.ts";
import { checkpointPatterns, fetchTipsWhole } from "../checkpoints/remote/fetch/fetch-tips.ts";
import { forgetFetched } from "../checkpoints/remote/forget-fetched.ts";
import type { PushContext } from "../checkpoints/remote/push/push-checkpoints.ts";
import { readPushed, writePushed } from "../checkpoints/remote/remote-state.ts";
import { joinRemoved, readRemovedList, writeRemovedList } from "../checkpoints/remote/removed-list.ts";
import type { RefTip, Rewritten } from "../checkpoints/remove/rewrite-refs.ts";
import { readStoreRefs, v1Branch } from "../checkpoints/stores/layout-refs.ts";
import type { Git } from "../git/git.ts";
import { isOid, type Oid } from "../git/ids.ts";
import { removeObjects } from "../git/objects/remove-objects.ts";
import { resolveRevision, updateRefs } from "../git/refs/refs.ts";
import { deleteRemoteRefs, pushRefs } from "../git/remote/push.ts";
import type { Remote } from "../git/remote/remote.ts";

/** What is done to the refs of a repository or remote, and what must not come back. */
export interface RemovalWork {
  rewrite(git: Git, refs: readonly RefTip[]): Promise<Rewritten>;
  /** Beside what is gone from the refs. */
  readonly checkpoints: Removed["checkpoints"];
}

export interface RemovalReport {
  readonly refs: readonly string[];
  readonly remoteRefs: readonly string[];
  readonly objects: number;
  /** Objects that something else here still names. */
  readonly stillNamed: readonly Oid[];
  readonly problems: readonly string[];
}

/**
 * Takes content out of every store: first at the remote, so that what fails there can be done again with everything at
 * hand, then here. The history of shared refs is written anew. What was removed is listed on a ref of its own, which goes to
 * the remote as well, so that nobody's join brings it back.
 * @throws KeyframeError `remote-failed`, `timed-out`, `not-here`
 */
export async function removeRecords(
  context: PushContext,
  remote: Remote | undefined,
  work: RemovalWork,
): Promise<RemovalReport> {
  const { git } = context;
  const atRemote = remote === undefined ? undefined : await removeAtRemote(context, remote, work);
  const own = await ownRefs(git);
  const here = await work.rewrite(git, own);
  const gone = new Set([...here.gone, ...(atRemote?.gone ?? [])]);
  const list = await extendList(context, atRemote?.list, { checkpoints: work.checkpoints, blobs: gone });
  const moved = await updateRefs(
    git,
    [
      ...here.refs.map(({ ref, oid, next }) => ({ ref, expected: oid, next })),
      { ref: removedRef, expected: await resolveRevision(git, removedRef), next: list },
    ],
    "keyframe: remove checkpoints",
  );
  const problems = [...(atRemote?.problems ?? [])];
  if (!moved) problems.push("checkpoints were written here meanwhile: run the command again");
  if (remote !== undefined && atRemote !== undefined) {
    const { refused } = await pushList(context, remote, list);
    if (refused !== undefined) problems.push(`the list of what was removed was refused: ${refused}`);
    await follow(context, remote, { here, remoteRefs: atRemote.refs });
  }
  await forgetCopies(
    context,
    here.refs.map(({ ref }) => ref),
  );
  const stillNamed = moved ? await removeObjects(git, context.files, [...gone]) : [];
  return {
    refs: here.refs.map(({ ref }) => ref),
    remoteRefs: atRemote?.refs.map(({ ref }) => ref) ?? [],
    objects: gone.size,
    stillNamed,
    problems,
  };
}

/** Every ref of this repository that holds checkpoints, copies of remotes' included. */
export async function ownRefs(git: Git): Promise<RefTip[]> {
  const { v1, v2Main, v2Current, v2Archives, perCheckpoint } = await readStoreRefs(git);
  const shared = [...v1, v2Main, v2Current, ...v2Archives].filter((at) => at !== undefined);
  return [...shared, ...perCheckpoint.values()];
}

async function removeAtRemote(context: PushContext, remote: Remote, work: RemovalWork) {
  const { git } = context;
  const { tips } = (await fetchTipsWhole(context, remote, checkpointPatterns())).remote;
  const list = tips.find(({ ref }) => ref === removedRef)?.oid;
  const { refs, gone } = await work.rewrite(
    git,
    tips.filter(({ ref }) => ref !== removedRef),
  );
  const problems: string[] = [];
  const pushes = refs.flatMap(({ ref, oid, next }) =>
    next === undefined ? [] : [{ ref, oid: next, expected: oid }],
  );
  for (const [ref, outcome] of await pushRefs(git, remote, pushes, network(context))) {
    if (outcome === "behind") problems.push(`${ref} moved at ${remote.name}: run the command again`);
    else if (outcome !== "done") problems.push(`${ref} was refused by ${remote.name}: ${outcome.refused}`);
  }
  const deleted = refs.filter(({ next }) => next === undefined);
  for (const [ref, why] of await deleteRemoteRefs(git, remote, deleted, network(context)))
    problems.push(`${ref} was not deleted at ${remote.name}: ${why}`);
  return { refs, gone, list, problems };
}

async function extendList(
  { git, nowSeconds }: PushContext,
  theirs: Oid | undefined,
  removed: Removed,
): Promise<Oid> {
  const ours = await resolveRevision(git, removedRef);
  const parents = [...new Set([theirs, ours].filter((oid) => oid !== undefined))];
  const lists = await Promise.all(parents.map((oid) => readRemovedList(git, oid)));
  return writeRemovedList(git, { parents, removed: joinRemoved([...lists, removed]), nowSeconds });
}

async function pushList(
  context: PushContext,
  remote: Remote,
  oid: Oid,
): Promise<{ readonly refused: string | undefined }> {
  const outcome = (await pushRefs(context.git, remote, [{ ref: removedRef, oid }], network(context))).get(
    removedRef,
  );
  if (outcome === "done") return { refused: undefined };
  return { refused: outcome === "behind" ? "others were first" : (outcome?.refused ?? "no answer for it") };
}

/** What is known of the remote is what it holds now. */
async function follow(
  { git, files }: PushContext,
  remote: Remote,
  { here, remoteRefs }: { readonly here: Rewritten; readonly remoteRefs: Rewritten["refs"] },
): Promise<void> {
  const place = { repository: git.repository, files };
  const pushed = readPushed(place, remote);
  for (const { ref, next } of remoteRefs) {
    const local = here.refs.find((at) => at.ref === ref)?.next ?? (await resolveRevision(git, ref));
    if (next === undefined || local === undefined) pushed.delete(ref);
    else pushed.set(ref, { local, remote: next });
    const tracking = `refs/remotes/${remote.name}/${v1Branch.slice("refs/heads/".length)}`;
    if (ref === v1Branch && next !== undefined && (await resolveRevision(git, tracking)) !== undefined)
      await git.run(["update-ref", tracking, next]);
  }
  writePushed(place, remote, pushed);
}

/** What was made from the content, and what was fetched: made or fetched anew when it is asked for. */
async function forgetCopies({ git, files }: PushContext, refs: readonly string[]): Promise<void> {
  const { repository } = git;
  forgetFetched(git, files);
  for (const folder of listSearchFolders(files, repository.commonDir)) files.removeTree(folder);
  const fetched = await git.text([
    "for-each-ref",
    "--format=%(objectname) %(refname)",
    "refs/keyframe/remotes",
  ]);
  const updates = fetched.split("\n").flatMap((line) => {
    const [oid = "", ref = ""] = line.split(" ");
    return isOid(oid) ? [{ ref, expected: oid, next: undefined }] : [];
  });
  if (updates.length > 0) await updateRefs(git, updates, "keyframe: remove checkpoints");
  for (const ref of refs)
    await git.run(["reflog", "expire", "--expire=now", "--expire-unreachable=now", ref], {
      okCodes: [0, 1, 128, 255],
    });
}

function network({ onProgress, idleTimeoutMs }: PushContext) {
  return {
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
  };
}
