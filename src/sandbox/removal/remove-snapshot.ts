import { KeyframeError } from "../../base/errors.ts";
import type { SnapshotId } from "../ids.ts";
import { endBlockServer } from "../lazy/block-server.ts";
import { removeMemoryImage } from "../memory/cache.ts";
import { type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import type { SandboxRecord, SnapshotRecord } from "../store/records.ts";
import { listSandboxes, sandboxState } from "../store/sandbox-store.ts";
import { listSnapshots, releaseName, snapshotFiles, snapshotState } from "../store/snapshot-store.ts";
import { eraseSandbox } from "./erase-sandbox.ts";
import { freeUnusedLayers } from "./free-layers.ts";

export interface RemoveOptions {
  /** Also remove its dependent snapshots. */
  readonly cascade?: boolean;
  /** Also the sandboxes that run from it or were stopped on it: they are ended. Implies `cascade`. */
  readonly force?: boolean;
}

export interface RemovalPlan {
  /** Leaves first. */
  readonly snapshots: readonly SnapshotRecord[];
  readonly sandboxes: readonly SandboxRecord[];
}

/** What removing a snapshot takes with it; `in-use`, naming what is in the way, if the options do not allow that. */
export function planRemoval(
  target: SnapshotRecord,
  all: { readonly snapshots: readonly SnapshotRecord[]; readonly sandboxes: readonly SandboxRecord[] },
  options: RemoveOptions,
): RemovalPlan {
  const doomed: SnapshotRecord[] = [];
  const visit = (snapshot: SnapshotRecord) => {
    for (const each of all.snapshots) if (each.parent?.id === snapshot.id) visit(each);
    doomed.push(snapshot);
  };
  visit(target);
  const ids = new Set<SnapshotId>(doomed.map((each) => each.id));
  const sandboxes = all.sandboxes.filter(
    (each) =>
      (each.base !== undefined && ids.has(each.base)) ||
      (each.suspended !== undefined && ids.has(each.suspended)),
  );
  const label = target.name ?? target.id;
  const dependents = doomed.filter((each) => each.id !== target.id);
  if (dependents.length > 0 && options.cascade !== true && options.force !== true) {
    throw new KeyframeError(
      "in-use",
      `${label} has dependent snapshots: ${dependents.map(labelOf).join(", ")}`,
      {
        hint: "`--cascade` removes them too; `keyframe snapshot flatten` makes one independent first",
      },
    );
  }
  // a machine that is only kept ready is nobody's work
  const used = sandboxes.filter((each) => each.status !== "pooled");
  if (used.length > 0 && options.force !== true) {
    throw new KeyframeError(
      "in-use",
      `sandboxes run from ${label} or were stopped on it: ${used.map(labelOf).join(", ")}`,
      {
        hint: "remove them first; `--force` ends and removes them",
      },
    );
  }
  return { snapshots: doomed, sandboxes };
}

/**
 * Removes a snapshot and what the options allow. Disk layers that nothing uses any more go with it. Interrupted, it leaves whole snapshots: leaves go first, and each record before its files.
 */
export async function removeSnapshot(
  context: SandboxContext,
  target: SnapshotRecord,
  options: RemoveOptions,
): Promise<RemovalPlan> {
  if (options.cascade === true && options.force === true) {
    throw new KeyframeError(
      "usage",
      "--force removes dependent snapshots too: it cannot be combined with --cascade",
    );
  }
  return withLock(context, snapshotsLock, async () => {
    const plan = planRemoval(
      target,
      { snapshots: listSnapshots(context), sandboxes: listSandboxes(context) },
      options,
    );
    const writing = plan.snapshots.find((each) => snapshotState(context, each) === "writing");
    if (writing !== undefined) {
      throw new KeyframeError("not-ready", `snapshot ${labelOf(writing)} is still being written`);
    }
    const starting = plan.sandboxes.find((each) => sandboxState(context, each) === "starting");
    if (starting !== undefined) {
      throw new KeyframeError("not-ready", `sandbox ${labelOf(starting)} is still starting`);
    }
    for (const sandbox of plan.sandboxes) await eraseSandbox(context, sandbox);
    for (const snapshot of plan.snapshots) {
      await endBlockServer(context, snapshot.id);
      eraseSnapshot(context, snapshot);
    }
    await freeUnusedLayers(
      context,
      [...plan.sandboxes, ...plan.snapshots].flatMap(({ disk }) => disk),
    );
    return plan;
  });
}

/** Record first: from then on it does not exist, and what is left is found by `gc`. */
export function eraseSnapshot(context: SandboxContext, snapshot: SnapshotRecord): void {
  context.files.remove(snapshotFiles(context, snapshot.id).record);
  removeMemoryImage(context, snapshot.id);
  context.files.removeTree(snapshotFiles(context, snapshot.id).folder);
  if (snapshot.name !== undefined) releaseName(context, "snapshot", snapshot.name, snapshot.id);
}

function labelOf(record: { readonly id: string; readonly name?: string | undefined }): string {
  return record.name ?? record.id;
}
