import type { Git } from "../../git/git.ts";
import { applyMigration, type MigrationResult } from "../migrate/migrate.ts";
import { holdsTranscripts } from "../migrate/plan-migration.ts";
import {
  type CheckpointPlaces,
  listCheckpointPlaces,
  type ReadCheckpoint,
  readCheckpoints,
} from "../query/read-checkpoints.ts";
import type { CheckpointTree, StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";

/** A record that cannot be read, and a store that has the same checkpoint whole. */
export interface RecordRepair {
  readonly id: CheckpointId;
  readonly to: StoreKind;
  readonly from: CheckpointTree;
}

/**
 * Which unreadable records another store can mend: its own can be read, and it has every transcript of the damaged one
 * object for object.
 */
export async function planRecordRepairs(git: Git, stores: CheckpointStores): Promise<RecordRepair[]> {
  const places = await listCheckpointPlaces(stores);
  const several = [...places].filter(([, trees]) => trees.length > 1);
  const repairs: RecordRepair[] = [];
  const unreadable = new Map<CheckpointId, Set<CheckpointTree>>();
  // the first place of each, then the second: one reading for all
  for (let rank = 0; several.some(([, trees]) => trees[rank] !== undefined); rank += 1) {
    const ranked = several.flatMap(([id, trees]): [CheckpointId, CheckpointPlaces][] => {
      const tree = trees[rank];
      return tree === undefined ? [] : [[id, [tree]]];
    });
    for (const read of await readCheckpoints(git, new Map(ranked))) {
      if (isReadable(read)) continue;
      unreadable.set(read.id, (unreadable.get(read.id) ?? new Set()).add(read.places[0]));
    }
  }
  for (const [id, trees] of several) {
    const damaged = unreadable.get(id);
    if (damaged === undefined) continue;
    for (const tree of damaged) {
      const from = trees.find((other) => !damaged.has(other) && holdsTranscripts(other, tree));
      if (from !== undefined) repairs.push({ id, to: tree.store, from });
    }
  }
  return repairs;
}

export function isReadable({ root, sessions }: ReadCheckpoint): boolean {
  return typeof root !== "string" && sessions.every(({ metadata }) => typeof metadata !== "string");
}

/** Writes the records anew; what was there stays in the history of its ref. */
export async function applyRecordRepairs(
  git: Git,
  stores: CheckpointStores,
  repairs: readonly RecordRepair[],
  nowSeconds: number,
): Promise<number> {
  let repaired = 0;
  for (const to of new Set(repairs.map((repair) => repair.to))) {
    const steps = repairs
      .filter((repair) => repair.to === to)
      .map(({ id, from }) => ({ id, from, sessions: undefined, createdMs: 0 }));
    const result: MigrationResult = await applyMigration(
      git,
      stores,
      { to, steps, skipped: 0 },
      { nowSeconds, replacesDamaged: true },
    );
    repaired += result.migrated;
  }
  return repaired;
}
