import type { Git } from "../../git/git.ts";
import { listCheckpointPlaces } from "../query/read-checkpoints.ts";
import type { CheckpointTree, StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";
import { tryLoadStates } from "../stores/stored-state.ts";
import { compareRecords } from "./compare-records.ts";
import { type PlainRecord, plainRecord } from "./plain-record.ts";
import { relateStored } from "./read-plan.ts";

/** What a comparison of everything found. */
export interface MigrationCheck {
  readonly checkpoints: number;
  readonly sessions: number;
  readonly transcripts: number;
  readonly subagents: number;
  /** Checkpoints that differ, each with what differs, in words. */
  readonly differing: readonly { readonly id: CheckpointId; readonly why: readonly string[] }[];
}

const checkpointsAtOnce = 250;

/**
 * Compares everything of the other stores with the target: that each checkpoint and session is there as often and in
 * the same order, every file by its digest, every member of the metadata. What the formats do not share (positions in
 * the compact transcript, names of files) is left out.
 */
export async function verifyMigration(
  git: Git,
  stores: CheckpointStores,
  to: StoreKind,
): Promise<MigrationCheck> {
  const count = { checkpoints: 0, sessions: 0, transcripts: 0, subagents: 0 };
  const differing: { readonly id: CheckpointId; readonly why: readonly string[] }[] = [];
  const comparisons = [...(await listCheckpointPlaces(stores))].flatMap(([id, trees]) => {
    const target = trees.find(({ store }) => store === to);
    return trees.filter(({ store }) => store !== to).map((source) => ({ id, source, target }));
  });
  for (let from = 0; from < comparisons.length; from += checkpointsAtOnce) {
    const some = comparisons.slice(from, from + checkpointsAtOnce);
    const records = await readRecords(
      git,
      some.flatMap(({ source, target }) => (target === undefined ? [source] : [source, target])),
    );
    for (const { id, source, target } of some) {
      const [ours, theirs] = [records.get(source), target === undefined ? undefined : records.get(target)];
      count.checkpoints += 1;
      if (typeof ours === "object") {
        count.sessions += ours.sessions.length;
        count.transcripts += ours.sessions.filter(({ files }) => files.transcript.length > 0).length;
        count.subagents += ours.tasks.length;
      }
      const why = await compareOne(git, id, ours, theirs, to);
      if (why.length > 0) differing.push({ id, why });
    }
  }
  return { ...count, differing };
}

async function compareOne(
  git: Git,
  id: CheckpointId,
  source: PlainRecord | string | undefined,
  target: PlainRecord | string | undefined,
  to: StoreKind,
): Promise<string[]> {
  if (target === undefined) return [`it is not in ${to}`];
  if (typeof source !== "object") return [`its source cannot be read: ${source ?? "it has no files"}`];
  if (typeof target === "string") return [`it cannot be read in ${to}: ${target}`];
  return compareRecords(source, target, async (ours, theirs) => {
    const relation = await relateStored(git, id, { files: ours }, { files: theirs });
    return relation === "same" || relation === "shorter";
  });
}

async function readRecords(
  git: Git,
  trees: readonly CheckpointTree[],
): Promise<Map<CheckpointTree, PlainRecord | string>> {
  const records = new Map<CheckpointTree, PlainRecord | string>();
  for (const store of new Set(trees.map((tree) => tree.store))) {
    const ofStore = trees.filter((tree) => tree.store === store);
    const states = await tryLoadStates(git, new Map(ofStore.map(({ id, files }) => [id, new Map(files)])));
    for (const tree of ofStore) {
      const state = states.get(tree.id);
      if (state === undefined) continue;
      records.set(tree, "sessions" in state ? plainRecord(tree, state) : state.message);
    }
  }
  return records;
}
