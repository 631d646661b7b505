import type { Git } from "../../../git/git.ts";
import { committerIdentity } from "../../../git/identity.ts";
import type { Oid } from "../../../git/ids.ts";
import { missingObjects } from "../../../git/objects/missing-objects.ts";
import { listTrees } from "../../../git/objects/tree.ts";
import type { RefPush } from "../../../git/remote/push.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import type { CheckpointTree, StoreKind } from "../../record/checkpoint-tree.ts";
import { type CheckpointId, idOfCheckpointRef, shardedPath } from "../../record/ids.ts";
import { isRemoved, type Removed } from "../../record/removed.ts";
import { v1Branch, v2Current, v2Main } from "../../stores/layout-refs.ts";
import { listShardedTree } from "../../stores/stored-state.ts";
import { onlySide } from "../../stores/v2-store.ts";
import type { SyncContext } from "../fetch/fetch-tips.ts";
import { generationTips } from "../fetch/fetched-stores.ts";
import type { FetchedTip, PushedRef } from "../remote-state.ts";
import { joinTrees, type TreesById, writeJoinCommit } from "./join-trees.ts";

/** Refs of one store here, at the remote, and here when they were last pushed. */
export interface Divergence {
  /** Where commits are read and written: it knows that the remote's came without their history. */
  readonly workplace: Git;
  readonly kind: StoreKind;
  readonly ours: ReadonlyMap<string, Oid>;
  readonly theirs: readonly FetchedTip[];
  readonly pushed: ReadonlyMap<string, PushedRef>;
  readonly nowSeconds: number;
  /** What was removed, here or there: ours of it is not joined, and neither is a history that holds it. */
  readonly removed: Removed;
}

export interface JoinedRefs {
  /** What to push; a ref that needs no change is absent. */
  readonly pushes: readonly RefPush[];
  readonly problems: readonly string[];
}

/**
 * Commits that have what the remote holds and what we hold: for each ref a merge whose first parent is the remote's
 * commit. Unrelated histories are no obstacle, and the remote's files are not needed.
 */
export function joinRemote(
  context: SyncContext,
  remote: Remote,
  divergence: Divergence,
): Promise<JoinedRefs> {
  return joiners[divergence.kind](context, remote, divergence);
}

type Joiner = (context: SyncContext, remote: Remote, divergence: Divergence) => Promise<JoinedRefs>;

const joiners: Readonly<Record<StoreKind, Joiner>> = {
  v1: joinV1,
  v2: joinV2,
  refs: joinOwnRefs,
};

async function joinV1(context: SyncContext, remote: Remote, divergence: Divergence): Promise<JoinedRefs> {
  const ours = divergence.ours.get(v1Branch);
  const theirs = divergence.theirs.find(({ ref }) => ref === v1Branch)?.oid;
  if (ours === undefined) return { pushes: [], problems: [] };
  if (theirs === undefined) return { pushes: [{ ref: v1Branch, oid: ours }], problems: [] };
  const { workplace: git } = divergence;
  const base = (await tipsHere(git, divergence.pushed)).find(({ ref }) => ref === v1Branch)?.oid;
  const kept = leaveOut(await shardedTrees(git, "v1", ours), divergence.removed);
  const joined = await joinTrees(context, remote, {
    workplace: git,
    ours: kept.trees,
    theirs: await shardedTrees(git, "v1", theirs),
    base: base === undefined ? undefined : await shardedTrees(git, "v1", base),
  });
  if (joined.changed.size === 0) return { pushes: [], problems: joined.problems };
  const oid = await writeJoinCommit(git, {
    identity: await committerIdentity(context.git),
    parents: kept.isWhole ? [theirs, ours] : [theirs],
    folders: new Map([...joined.changed].map(([id, files]) => [shardedPath(id), files])),
    message: joinMessage([...joined.changed.keys()]),
    nowSeconds: divergence.nowSeconds,
  });
  return { pushes: [{ ref: v1Branch, oid, expected: theirs }], problems: joined.problems };
}

/** Raw transcripts go to the generation that has the checkpoint at the remote, new ones to its current one. */
async function joinV2(context: SyncContext, remote: Remote, divergence: Divergence): Promise<JoinedRefs> {
  const { workplace: git } = divergence;
  const theirMain = divergence.theirs.find(({ ref }) => ref === v2Main);
  const ourTips = [...divergence.ours].map(([ref, oid]) => ({ ref, oid, whole: true }));
  if (theirMain === undefined) return { pushes: ourTips, problems: [] };
  const before = await tipsHere(git, divergence.pushed);
  const generations = await Promise.all(
    generationTips(divergence.theirs).map(async (tip) => ({
      ...tip,
      files: await listShardedTree(git, tip.oid),
    })),
  );
  const kept = leaveOut(await v2Trees(git, ourTips), divergence.removed);
  const joined = await joinTrees(context, remote, {
    workplace: git,
    ours: kept.trees,
    theirs: await v2Trees(git, divergence.theirs),
    base: before.length === 0 ? undefined : await v2Trees(git, before),
  });
  const byRef = new Map<string, Map<string, ReadonlyMap<string, Oid>>>();
  const put = (ref: string, id: CheckpointId, files: ReadonlyMap<string, Oid>) => {
    if (files.size > 0) byRef.set(ref, (byRef.get(ref) ?? new Map()).set(shardedPath(id), files));
  };
  for (const [id, files] of joined.changed) {
    put(v2Main, id, onlySide(files, "main"));
    const home = generations.find((generation) => generation.files.has(id))?.ref ?? v2Current;
    put(home, id, onlySide(files, "raw"));
  }
  const pushes: RefPush[] = [];
  for (const [ref, folders] of byRef) {
    const theirs = divergence.theirs.find((tip) => tip.ref === ref)?.oid;
    const ours = divergence.ours.get(ref);
    const parents = [theirs, kept.isWhole ? ours : undefined].filter((oid) => oid !== undefined);
    const oid = await writeJoinCommit(git, {
      identity: await committerIdentity(context.git),
      parents,
      folders,
      message: joinMessage([...joined.changed.keys()]),
      nowSeconds: divergence.nowSeconds,
    });
    pushes.push({ ref, oid, ...(theirs === undefined ? {} : { expected: theirs }) });
  }
  return { pushes, problems: joined.problems };
}

async function joinOwnRefs(
  context: SyncContext,
  remote: Remote,
  divergence: Divergence,
): Promise<JoinedRefs> {
  const { workplace: git } = divergence;
  const before = await tipsHere(git, divergence.pushed);
  const theirTips = divergence.theirs.filter(({ ref }) => divergence.ours.has(ref));
  const ourTips = [...divergence.ours].map(([ref, oid]) => ({ ref, oid }));
  const kept = leaveOut(await ownRefTrees(git, ourTips), divergence.removed);
  const joined = await joinTrees(context, remote, {
    workplace: git,
    ours: kept.trees,
    theirs: await ownRefTrees(git, theirTips),
    base: await ownRefTrees(
      git,
      before.filter(({ ref }) => divergence.ours.has(ref)),
    ),
  });
  const pushes: RefPush[] = [];
  for (const { ref, oid: ours } of ourTips) {
    const id = idOfCheckpointRef(ref);
    const files = id === undefined ? undefined : joined.changed.get(id);
    const theirs = theirTips.find((tip) => tip.ref === ref)?.oid;
    if (id !== undefined && !kept.trees.has(id)) continue;
    if (theirs === undefined) pushes.push({ ref, oid: ours });
    else if (id !== undefined && files !== undefined) {
      const oid = await writeJoinCommit(git, {
        identity: await committerIdentity(context.git),
        parents: [theirs, ours],
        folders: new Map([["", files]]),
        message: joinMessage([id]),
        nowSeconds: divergence.nowSeconds,
      });
      pushes.push({ ref, oid, expected: theirs });
    }
  }
  return { pushes, problems: joined.problems };
}

/** What of ours may go to the remote. */
function leaveOut(
  trees: TreesById,
  removed: Removed,
): { readonly trees: TreesById; readonly isWhole: boolean } {
  const kept = new Map([...trees].filter(([, tree]) => !isRemoved(removed, tree)));
  return { trees: kept, isWhole: kept.size === trees.size };
}

function joinMessage(ids: readonly CheckpointId[]): string {
  return ids.length === 1 ? `Join checkpoint ${ids[0]}` : `Join ${ids.length} checkpoints`;
}

async function shardedTrees(git: Git, store: StoreKind, tip: Oid): Promise<TreesById> {
  const trees = new Map<CheckpointId, CheckpointTree>();
  for (const [id, files] of await listShardedTree(git, tip)) trees.set(id, { id, store, ref: tip, files });
  return trees;
}

async function v2Trees(
  git: Git,
  tips: readonly { readonly ref: string; readonly oid: Oid }[],
): Promise<TreesById> {
  const main = tips.find(({ ref }) => ref === v2Main);
  const trees = new Map(main === undefined ? [] : await shardedTrees(git, "v2", main.oid));
  const seen = new Set<CheckpointId>();
  for (const { oid } of generationTips(tips.map((tip) => ({ ...tip, whole: true })))) {
    for (const [id, files] of await listShardedTree(git, oid)) {
      const tree = trees.get(id);
      if (tree === undefined || seen.has(id)) continue;
      seen.add(id);
      trees.set(id, { ...tree, files: new Map([...tree.files, ...files]) });
    }
  }
  return trees;
}

async function ownRefTrees(
  git: Git,
  tips: readonly { readonly ref: string; readonly oid: Oid }[],
): Promise<TreesById> {
  const byTip = await listTrees(
    git,
    tips.map(({ oid }) => oid),
  );
  const trees = new Map<CheckpointId, CheckpointTree>();
  for (const { ref, oid } of tips) {
    const id = idOfCheckpointRef(ref);
    const files = (byTip.get(oid) ?? []).filter(({ type }) => type === "blob");
    if (id === undefined) continue;
    trees.set(id, { id, store: "refs", ref, files: new Map(files.map((file) => [file.path, file.oid])) });
  }
  return trees;
}

/** What refs held when they were last pushed; what was pruned since is not known any more. */
async function tipsHere(git: Git, pushed: ReadonlyMap<string, PushedRef>): Promise<FetchedTip[]> {
  const gone = new Set(
    await missingObjects(
      git,
      [...pushed.values()].map(({ local }) => local),
    ),
  );
  return [...pushed]
    .filter(([, { local }]) => !gone.has(local))
    .map(([ref, { local }]) => ({ ref, oid: local, whole: true }));
}
