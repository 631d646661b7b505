import type { Oid } from "../../git/ids.ts";
import type { CheckpointTree } from "../record/checkpoint-tree.ts";
import { type CheckpointId, shardedPath } from "../record/ids.ts";
import { commitTargets, keepsItsTree, retryUntilFirst, underFolders } from "./commit-targets.ts";
import { readStoreRefs, v1Branch } from "./layout-refs.ts";
import { type CheckpointState, emptyState, type Layout, planCheckpoint } from "./plan-write.ts";
import type { CheckpointStore } from "./store.ts";
import type { StoreContext } from "./store-context.ts";
import { type FilesById, listShardedTree, loadStates } from "./stored-state.ts";

export const v1Layout: Layout = {
  pathPrefix: (id) => `/${shardedPath(id)}`,
  transcriptBase: "full.jsonl",
  contentHashName: "content_hash.txt",
  tasksInSession: false,
  compactHashName: undefined,
  encodeSession: (metadata) => metadata,
  decodeSession: (metadata) => metadata,
};

/** Checkpoints as directories of one branch (docs/formats/checkpoints-v1.md). */
export function openV1Store(context: StoreContext): CheckpointStore {
  const { git } = context;

  async function listFrom(ids?: readonly CheckpointId[]): Promise<Map<CheckpointId, CheckpointTree>> {
    const trees = new Map<CheckpointId, CheckpointTree>();
    for (const { ref, oid } of (await context.readRefs()).v1) {
      for (const [id, files] of await listShardedTree(git, oid, ids)) {
        if (!trees.has(id)) trees.set(id, { id, store: "v1", ref, files });
      }
    }
    return trees;
  }

  return {
    kind: "v1",
    list: () => listFrom(),
    find: async (id) => (await listFrom([id])).get(id),
    preferredBatch: () => Promise.resolve(250),
    async write(writes, options) {
      const commit = await context.commitContext(options, "keyframe: checkpoints");
      return retryUntilFirst(v1Branch, async () => {
        const refs = (await readStoreRefs(git)).v1;
        const local = refs.find(({ ref }) => ref === v1Branch);
        // a branch that begins anew would have no history in common with the one that others push
        const base = local ?? refs.find(({ ref }) => ref.endsWith("/entire/checkpoints/v1"));
        const ids = [...new Set(writes.map(({ id }) => id))];
        const stored = onlyIds(await listShardedTree(git, base?.oid, ids), ids);
        const planned = planAll(await loadStates(git, stored, options), writes, v1Layout);
        const changed = ids.filter((id) => {
          const before = stored.get(id) ?? new Map<string, Oid>();
          const after = planned.get(id)?.files ?? new Map();
          return !keepsItsTree({ before, after }, commit.format);
        });
        if (changed.length === 0) return [];
        const target = {
          ref: v1Branch,
          expected: local?.oid,
          parents: base === undefined ? [] : [base.oid],
          initialSubject: "Initialize metadata branch",
          before: underFolders(changed.map((id) => [shardedPath(id), stored.get(id) ?? new Map()])),
          after: underFolders(changed.map((id) => [shardedPath(id), planned.get(id)?.files ?? new Map()])),
          message: options.message(writes.filter(({ id }) => changed.includes(id))),
        };
        return (await commitTargets([target], commit)) ? changed : undefined;
      });
    },
  };
}

/** Applies writes in order to what is stored; two writes of one checkpoint build on each other. */
export function planAll(
  stored: ReadonlyMap<CheckpointId, CheckpointState>,
  writes: Parameters<CheckpointStore["write"]>[0],
  layout: Layout,
): Map<CheckpointId, CheckpointState> {
  const planned = new Map<CheckpointId, CheckpointState>();
  for (const write of writes) {
    const state = planned.get(write.id) ?? stored.get(write.id) ?? emptyState;
    planned.set(write.id, planCheckpoint(state, write, layout));
  }
  return planned;
}

export function onlyIds(files: FilesById, ids: readonly CheckpointId[]): FilesById {
  return new Map(ids.flatMap((id) => (files.has(id) ? [[id, files.get(id) ?? new Map()]] : [])));
}
