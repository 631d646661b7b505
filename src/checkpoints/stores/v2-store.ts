import type { Oid } from "../../git/ids.ts";
import type { CheckpointTree } from "../record/checkpoint-tree.ts";
import { type CheckpointId, shardedPath } from "../record/ids.ts";
import { checkpointsPerGeneration } from "../record/limits.ts";
import {
  type CommitTarget,
  commitTargets,
  keepsItsTree,
  retryUntilFirst,
  underFolders,
} from "./commit-targets.ts";
import { createGenerationCache, type Generation, rotateFullGeneration } from "./generations.ts";
import { readStoreRefs, type StoreRefs, v2Current, v2Main } from "./layout-refs.ts";
import type { CheckpointStore, CheckpointWrite, CheckpointWriteOptions } from "./store.ts";
import type { StoreContext } from "./store-context.ts";
import { type FilesById, listShardedTree, loadStates } from "./stored-state.ts";
import { onlyIds, planAll } from "./v1-store.ts";
import { v2Layout } from "./v2-layout.ts";

/**
 * Checkpoints in two trees: what everybody reads in `main`, raw transcripts in generations that are archived when full
 * (docs/formats/checkpoints-v2.md).
 */
export function openV2Store(context: StoreContext): CheckpointStore {
  const { git } = context;
  const generations = createGenerationCache(git);

  async function listFrom(ids: readonly CheckpointId[] | undefined, raw: boolean) {
    const refs = await context.readRefs();
    const main = await listShardedTree(git, refs.v2Main?.oid, ids);
    const trees = new Map<CheckpointId, CheckpointTree>();
    const kept = raw ? await generations.read(refs) : [];
    for (const [id, files] of ids === undefined ? main : onlyIds(main, ids)) {
      const rawFiles = kept.find((generation) => generation.files.has(id))?.files.get(id) ?? [];
      trees.set(id, { id, store: "v2", ref: v2Main, files: new Map([...files, ...rawFiles]) });
    }
    return trees;
  }

  async function attempt(writes: readonly CheckpointWrite[], options: CheckpointWriteOptions) {
    const commit = await context.commitContext(options, "keyframe: checkpoints");
    const refs = await readStoreRefs(git);
    const ids = [...new Set(writes.map(({ id }) => id))];
    const main = onlyIds(await listShardedTree(git, refs.v2Main?.oid, ids), ids);
    const kept = await generations.read(refs);
    const homeOf = (id: CheckpointId) => kept.find(({ files }) => files.has(id));
    const stored: FilesById = new Map(
      ids.map((id) => [id, new Map([...(main.get(id) ?? []), ...(homeOf(id)?.files.get(id) ?? [])])]),
    );
    const planned = planAll(await loadStates(git, stored, options), writes, v2Layout);
    const changed = ids.filter((id) => {
      const before = stored.get(id) ?? new Map<string, Oid>();
      return !keepsItsTree({ before, after: planned.get(id)?.files ?? new Map() }, commit.format);
    });
    const message = options.message(writes.filter(({ id }) => changed.includes(id)));
    const part = (side: "main" | "raw", some: readonly CheckpointId[]) => ({
      before: underFolders(some.map((id) => [shardedPath(id), onlySide(stored.get(id) ?? new Map(), side)])),
      after: underFolders(
        some.map((id) => [shardedPath(id), onlySide(planned.get(id)?.files ?? new Map(), side)]),
      ),
    });
    const targets: CommitTarget[] = [
      { ...targetOf(v2Main, refs.v2Main?.oid), ...part("main", changed), message },
      ...[...new Set(changed.map((id) => homeOf(id)?.ref ?? v2Current))].map((ref) => {
        const here = changed.filter((id) => (homeOf(id)?.ref ?? v2Current) === ref);
        return { ...targetOf(ref, tipOf(refs, kept, ref)), ...part("raw", here), message };
      }),
    ].filter((target) => !keepsItsTree(target, commit.format));
    if (targets.length === 0) return [];
    return (await commitTargets(targets, commit)) ? changed : undefined;
  }

  return {
    kind: "v2",
    list: ({ raw = true } = {}) => listFrom(undefined, raw),
    find: async (id) => (await listFrom([id], true)).get(id),
    async preferredBatch() {
      const refs = await readStoreRefs(git);
      const current = (await generations.read(refs)).find(({ ref }) => ref === v2Current);
      const room = checkpointsPerGeneration - (current?.files.size ?? 0);
      return room > 0 ? room : checkpointsPerGeneration;
    },
    async write(writes, options) {
      const commit = await context.commitContext(options, "keyframe: archive a full generation");
      const rotate = () => retryUntilFirst(v2Current, () => rotateFullGeneration(commit, generations));
      // a writer that died before it could leaves this to the next
      await rotate();
      const changed = await retryUntilFirst(v2Main, () => attempt(writes, options));
      await rotate();
      return changed;
    },
  };
}

function targetOf(ref: string, tip: Oid | undefined) {
  return {
    ref,
    expected: tip,
    parents: tip === undefined ? [] : [tip],
    initialSubject: "Initialize v2 ref",
  };
}

function tipOf(refs: StoreRefs, kept: readonly Generation[], ref: string): Oid | undefined {
  return ref === v2Current ? refs.v2Current?.oid : kept.find((generation) => generation.ref === ref)?.oid;
}

const mainFile =
  /^(?:metadata\.json|\d+\/(?:metadata\.json|prompt\.txt|transcript\.jsonl|transcript_hash\.txt|context\.md))$/;

/** The files of a checkpoint that lie in `main`, or in a generation. */
export function onlySide<T>(files: ReadonlyMap<string, T>, side: "main" | "raw"): Map<string, T> {
  return new Map([...files].filter(([path]) => mainFile.test(path) === (side === "main")));
}
