import type { Oid } from "../../git/ids.ts";
import { listTrees } from "../../git/objects/tree.ts";
import type { CheckpointTree } from "../record/checkpoint-tree.ts";
import { type CheckpointId, checkpointRef } from "../record/ids.ts";
import { type CommitTarget, commitTargets, keepsItsTree, retryUntilFirst } from "./commit-targets.ts";
import { type RefAt, readStoreRefs } from "./layout-refs.ts";
import type { Layout } from "./plan-write.ts";
import type { CheckpointStore } from "./store.ts";
import type { StoreContext } from "./store-context.ts";
import { type FilesById, loadStates } from "./stored-state.ts";
import { planAll, v1Layout } from "./v1-store.ts";

/** The tree of v1's directory as the root: paths begin at the session, and the tree names no version. */
export const refsLayout: Layout = { ...v1Layout, pathPrefix: () => "" };

/** Checkpoints with a ref each (docs/formats/checkpoints-refs.md). */
export function openRefsStore(context: StoreContext): CheckpointStore {
  const { git } = context;

  async function filesAt(refs: ReadonlyMap<CheckpointId, RefAt>): Promise<FilesById> {
    const byTip = await listTrees(
      git,
      [...refs.values()].map(({ oid }) => oid),
    );
    return new Map(
      [...refs].map(([id, { oid }]) => {
        const files = (byTip.get(oid) ?? []).filter(({ type }) => type === "blob");
        return [id, new Map(files.map((file): [string, Oid] => [file.path, file.oid]))];
      }),
    );
  }

  async function listSome(wanted?: readonly CheckpointId[]): Promise<Map<CheckpointId, CheckpointTree>> {
    const refs = pick((await context.readRefs()).perCheckpoint, wanted);
    const files = await filesAt(refs);
    return new Map(
      [...refs].map(([id, { ref }]) => [id, { id, store: "refs", ref, files: files.get(id) ?? new Map() }]),
    );
  }

  return {
    kind: "refs",
    list: () => listSome(),
    find: async (id) => (await listSome([id])).get(id),
    preferredBatch: () => Promise.resolve(250),
    async write(writes, options) {
      const commit = await context.commitContext(options, "keyframe: checkpoints");
      const ids = [...new Set(writes.map(({ id }) => id))];
      return retryUntilFirst("a checkpoint's ref", async () => {
        const refs = pick((await readStoreRefs(git)).perCheckpoint, ids);
        const stored = await filesAt(refs);
        const planned = planAll(await loadStates(git, stored, options), writes, refsLayout);
        const targets = ids.flatMap((id): CommitTarget[] => {
          const at = refs.get(id);
          const before = stored.get(id) ?? new Map();
          const after = planned.get(id)?.files ?? new Map();
          if (keepsItsTree({ before, after }, commit.format)) return [];
          return [
            {
              ref: at?.ref ?? checkpointRef(id),
              expected: at?.oid,
              parents: at === undefined ? [] : [at.oid],
              before,
              after,
              message: options.message(writes.filter((write) => write.id === id)),
            },
          ];
        });
        if (targets.length === 0) return [];
        const changed = ids.filter((id) => targets.some(({ ref }) => ref.endsWith(`/${id}`)));
        return (await commitTargets(targets, commit)) ? changed : undefined;
      });
    },
  };
}

function pick(
  refs: ReadonlyMap<CheckpointId, RefAt>,
  wanted: readonly CheckpointId[] | undefined,
): ReadonlyMap<CheckpointId, RefAt> {
  if (wanted === undefined) return refs;
  const picked = new Map<CheckpointId, RefAt>();
  for (const id of wanted) {
    const at = refs.get(id);
    if (at !== undefined) picked.set(id, at);
  }
  return picked;
}
