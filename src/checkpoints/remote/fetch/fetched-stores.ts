import { isKeyframeError } from "../../../base/errors.ts";
import { borrowFetched } from "../../../git/fetched-objects.ts";
import type { Git } from "../../../git/git.ts";
import type { Oid } from "../../../git/ids.ts";
import { missingObjects } from "../../../git/objects/missing-objects.ts";
import { listTrees } from "../../../git/objects/tree.ts";
import type { Files } from "../../../system/files/files.ts";
import type { CheckpointTree, StoreKind } from "../../record/checkpoint-tree.ts";
import { type CheckpointId, idOfCheckpointRef } from "../../record/ids.ts";
import { v1Branch, v2Current, v2FullPrefix, v2Main } from "../../stores/layout-refs.ts";
import type { CheckpointStores } from "../../stores/open-stores.ts";
import type { CheckpointStore, ListOptions } from "../../stores/store.ts";
import { type FilesById, listShardedTree } from "../../stores/stored-state.ts";
import { type FetchedRemote, type FetchedTip, readFetchedRemotes } from "../remote-state.ts";

/**
 * The stores together with what was fetched from remotes: for reading. A checkpoint that is stored here comes first;
 * writing goes to the stores alone.
 */
export function withFetched(stores: CheckpointStores, git: Git, files: Files): CheckpointStores {
  let fetched: Promise<Readonly<Record<StoreKind, FetchedList>>> | undefined;
  const open = () => {
    fetched ??= openFetched(borrowFetched(git, files), files);
    return fetched;
  };
  const wrap = (store: CheckpointStore): CheckpointStore => ({
    ...store,
    async list(options) {
      const [own, theirs] = [await store.list(options), await (await open())[store.kind](undefined, options)];
      for (const [id, tree] of theirs) if (!own.has(id)) own.set(id, tree);
      return own;
    },
    find: async (id) => (await store.find(id)) ?? (await (await open())[store.kind]([id])).get(id),
  });
  return { v1: wrap(stores.v1), v2: wrap(stores.v2), refs: wrap(stores.refs) };
}

type FetchedList = (
  ids?: readonly CheckpointId[],
  options?: ListOptions,
) => Promise<Map<CheckpointId, CheckpointTree>>;

async function openFetched(git: Git, files: Files): Promise<Readonly<Record<StoreKind, FetchedList>>> {
  const remotes = await onlyPresent(git, readFetchedRemotes({ repository: git.repository, files }));
  const merged =
    (
      listOne: (remote: FetchedRemote, ...rest: Parameters<FetchedList>) => ReturnType<FetchedList>,
    ): FetchedList =>
    async (...rest) => {
      const trees = new Map<CheckpointId, CheckpointTree>();
      for (const remote of remotes) {
        for (const [id, tree] of await listOne(remote, ...rest)) if (!trees.has(id)) trees.set(id, tree);
      }
      return trees;
    };
  return {
    v1: merged((remote, ids) => listFetchedV1(git, remote, ids)),
    v2: merged((remote, ids, options) => listFetchedV2(git, remote, { ids, ...options })),
    refs: merged((remote, ids) => listFetchedRefs(git, remote, ids)),
  };
}

/** A tip whose commit is gone (its pack was deleted by hand) is as good as never fetched. */
async function onlyPresent(git: Git, remotes: readonly FetchedRemote[]): Promise<FetchedRemote[]> {
  const gone = new Set(
    await missingObjects(
      git,
      remotes.flatMap(({ tips }) => tips.map(({ oid }) => oid)),
    ),
  );
  return remotes.map((remote) => ({ ...remote, tips: remote.tips.filter(({ oid }) => !gone.has(oid)) }));
}

export async function listFetchedV1(
  git: Git,
  remote: FetchedRemote,
  ids?: readonly CheckpointId[],
): Promise<Map<CheckpointId, CheckpointTree>> {
  const tip = remote.tips.find(({ ref }) => ref === v1Branch);
  const trees = new Map<CheckpointId, CheckpointTree>();
  for (const [id, files] of await listFetchedTree(git, tip?.oid, ids)) {
    trees.set(id, { id, store: "v1", ref: describe(remote, v1Branch), files });
  }
  return trees;
}

async function listFetchedV2(
  git: Git,
  remote: FetchedRemote,
  { ids, raw = true }: { readonly ids: readonly CheckpointId[] | undefined; readonly raw?: boolean },
): Promise<Map<CheckpointId, CheckpointTree>> {
  const main = await listFetchedTree(git, remote.tips.find(({ ref }) => ref === v2Main)?.oid, ids);
  const trees = new Map<CheckpointId, CheckpointTree>();
  const generations: FilesById[] = [];
  for (const { oid } of raw ? generationTips(remote.tips) : [])
    generations.push(await listFetchedTree(git, oid, ids));
  for (const [id, files] of main) {
    const rawFiles = generations.find((generation) => generation.has(id))?.get(id) ?? [];
    trees.set(id, {
      id,
      store: "v2",
      ref: describe(remote, v2Main),
      files: new Map([...files, ...rawFiles]),
    });
  }
  return trees;
}

/** Nothing where a tree is gone (it was the repository's own, and was pruned): the next fetch brings all anew. */
async function listFetchedTree(
  git: Git,
  tip: Oid | undefined,
  ids: readonly CheckpointId[] | undefined,
): Promise<FilesById> {
  try {
    return await listShardedTree(git, tip, ids);
  } catch (error) {
    if (isKeyframeError(error, "program-failed")) return new Map();
    throw error;
  }
}

/** The current generation, then the archives from the newest. */
export function generationTips(tips: readonly FetchedTip[]): FetchedTip[] {
  const full = tips.filter(({ ref }) => ref.startsWith(v2FullPrefix));
  const archives = full.filter(({ ref }) => /^\d{13}$/.test(ref.slice(v2FullPrefix.length)));
  return [
    ...full.filter(({ ref }) => ref === v2Current),
    ...archives.sort((a, b) => (a.ref < b.ref ? 1 : -1)),
  ];
}

export async function listFetchedRefs(
  git: Git,
  remote: FetchedRemote,
  ids?: readonly CheckpointId[],
): Promise<Map<CheckpointId, CheckpointTree>> {
  const wanted = new Map<CheckpointId, FetchedTip>();
  for (const tip of remote.tips) {
    const id = idOfCheckpointRef(tip.ref);
    if (id !== undefined && (ids === undefined || ids.includes(id))) wanted.set(id, tip);
  }
  const byTip = await listTrees(
    git,
    [...wanted.values()].map(({ oid }) => oid),
  );
  const trees = new Map<CheckpointId, CheckpointTree>();
  for (const [id, { ref, oid }] of wanted) {
    const files = (byTip.get(oid) ?? []).filter(({ type }) => type === "blob");
    trees.set(id, {
      id,
      store: "refs",
      ref: describe(remote, ref),
      files: new Map(files.map((file): [string, Oid] => [file.path, file.oid])),
    });
  }
  return trees;
}

/** Not a name that git would resolve: nothing may look for history there. */
function describe({ name }: FetchedRemote, ref: string): string {
  return `${name}:${ref}`;
}
