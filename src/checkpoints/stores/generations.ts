import { encodeJsonDocument } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openBulkWriter } from "../../git/objects/bulk-writer.ts";
import { readSmallObjects } from "../../git/objects/small-objects.ts";
import { updateRefs } from "../../git/refs/refs.ts";
import { fault } from "../../system/fault.ts";
import type { CheckpointId } from "../record/ids.ts";
import { checkpointsPerGeneration, maxMetadataBytes } from "../record/limits.ts";
import { parseSessionMetadata } from "../record/metadata.ts";
import type { CommitContext } from "./commit-targets.ts";
import { readStoreRefs, type StoreRefs, v2Current, v2FullPrefix } from "./layout-refs.ts";
import { type FilesById, listShardedTree } from "./stored-state.ts";

/** One tree of raw transcripts: the current one, or an archive. */
export interface Generation {
  readonly ref: string;
  readonly oid: Oid;
  readonly files: FilesById;
}

/** Lists generations; an archive that has not moved is listed once. */
export interface GenerationCache {
  /** The current one first, then archives from the newest. */
  read(refs: StoreRefs): Promise<Generation[]>;
}

export function createGenerationCache(git: Git): GenerationCache {
  let known = new Map<Oid, FilesById>();
  return {
    async read(refs) {
      const wanted = [refs.v2Current, ...[...refs.v2Archives].reverse()].filter((at) => at !== undefined);
      const generations: Generation[] = [];
      for (const { ref, oid } of wanted) {
        generations.push({ ref, oid, files: known.get(oid) ?? (await listShardedTree(git, oid)) });
      }
      known = new Map(generations.map(({ oid, files }) => [oid, files]));
      return generations;
    },
  };
}

/**
 * Archives the current generation once it is full: the archive appears and the current one is emptied in one move of
 * both refs, or neither. True: nothing to do, or done; undefined: another writer was first.
 */
export async function rotateFullGeneration(
  commit: CommitContext,
  generations: GenerationCache,
): Promise<true | undefined> {
  const refs = await readStoreRefs(commit.git);
  const current = (await generations.read(refs)).find(({ ref }) => ref === v2Current);
  if (current === undefined || current.files.size < checkpointsPerGeneration) return true;
  fault("checkpoints:before-rotation");
  const span = await readSpan(commit.git, refs.v2Main?.oid, [...current.files.keys()]);
  const writer = openBulkWriter(commit.git, commit.format);
  const common = { identity: commit.identity, atSeconds: commit.nowSeconds };
  const note = await writer.blob(Buffer.from(`${encodeJsonDocument(new Map(Object.entries(span)))}\n`));
  const archive = await writer.commit({
    ...common,
    parents: [current.oid],
    changes: [{ kind: "blob", path: "generation.json", oid: note }],
    message: "Archive generation",
  });
  const start = await writer.commit({ ...common, parents: [], changes: [], message: "Start generation" });
  const oids = await writer.finish();
  fault("checkpoints:before-rotation-refs");
  const last = Math.max(0, ...refs.v2Archives.map(({ ref }) => Number(ref.slice(v2FullPrefix.length))));
  const archiveRef = `${v2FullPrefix}${String(last + 1).padStart(13, "0")}`;
  const moved = await updateRefs(
    commit.git,
    [
      { ref: archiveRef, expected: undefined, next: oids.get(archive) },
      { ref: v2Current, expected: current.oid, next: oids.get(start) },
    ],
    "keyframe: archive a full generation",
  );
  return moved ? true : undefined;
}

/** When the oldest and the newest checkpoint of a generation were made, by their own dates. */
async function readSpan(git: Git, main: Oid | undefined, ids: readonly CheckpointId[]) {
  const files = await listShardedTree(git, main, ids);
  const oids = ids.flatMap((id) =>
    [...(files.get(id) ?? [])].filter(([path]) => /^\d+\/metadata\.json$/.test(path)).map(([, oid]) => oid),
  );
  const dates: string[] = [];
  for (const content of (await readSmallObjects(git, oids, maxMetadataBytes)).values()) {
    const created = Buffer.isBuffer(content) ? parseSessionMetadata(content)?.createdAt : undefined;
    if (created !== undefined && !Number.isNaN(Date.parse(created))) dates.push(created);
  }
  dates.sort((a, b) => Date.parse(a) - Date.parse(b));
  return { oldest_checkpoint_at: dates[0] ?? "", newest_checkpoint_at: dates.at(-1) ?? "" };
}
