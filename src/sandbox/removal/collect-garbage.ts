import { join } from "node:path";
import { type DiskLayerId, parseDiskLayerId, parseSnapshotId, type SnapshotId } from "../ids.ts";
import { clearDeadBlockServer, endBlockServer } from "../lazy/block-server.ts";
import { removeMemoryImage } from "../memory/cache.ts";
import { removeDiskLayer } from "../store/disk-layers.ts";
import { isLeftInStaging, type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import { listSandboxImages } from "../store/list-images.ts";
import type { ImageRecord, SandboxRecord, SnapshotRecord } from "../store/records.ts";
import { listSandboxes, type SandboxState, sandboxState } from "../store/sandbox-store.ts";
import { listSnapshots, type SnapshotState, snapshotState } from "../store/snapshot-store.ts";
import { listWarmStarts, type WarmStart } from "../store/warm-starts.ts";
import { eraseSandbox } from "./erase-sandbox.ts";
import { eraseSnapshot } from "./remove-snapshot.ts";

export interface GcPolicy {
  /** Unnamed snapshots that nothing needs go when they are older. */
  readonly olderThanMs?: number;
  /** Of the unnamed snapshots that nothing needs, so many of the newest stay. */
  readonly keep?: number;
}

/** What is there. */
export interface GcView {
  readonly nowMs: number;
  readonly images: readonly ImageRecord[];
  readonly sandboxes: readonly { readonly record: SandboxRecord; readonly state: SandboxState }[];
  readonly snapshots: readonly { readonly record: SnapshotRecord; readonly state: SnapshotState }[];
  readonly diskLayers: readonly DiskLayerId[];
  readonly memoryImages: readonly SnapshotId[];
  readonly warmStarts: readonly WarmStart[];
  /** Names in the staging directory whose process has ended. */
  readonly staging: readonly string[];
  /** Directories and claims whose record is not there. */
  readonly strays: readonly string[];
}

export interface GcPlan {
  readonly sandboxes: readonly SandboxRecord[];
  /** Leaves first. */
  readonly snapshots: readonly SnapshotRecord[];
  readonly diskLayers: readonly DiskLayerId[];
  readonly memoryImages: readonly SnapshotId[];
  readonly staging: readonly string[];
  readonly strays: readonly string[];
}

/**
 * Goes: sandboxes that never ran, machines of pools that have ended, snapshots that were never completed, states of
 * sandboxes that are gone, unnamed snapshots by the policy, and then every disk layer and memory image that nothing
 * that stays refers to. What a snapshot or a sandbox that stays depends on, stays.
 */
export function planGc(view: GcView, policy: GcPolicy): GcPlan {
  const sandboxes = view.sandboxes
    .filter(({ state, record }) => state === "abandoned" || (state === "dead" && !holdsWork(record)))
    .map(({ record }) => record);
  const goneSandboxes = new Set(sandboxes.map((each) => each.id));
  const staying = view.sandboxes.map(({ record }) => record).filter((each) => !goneSandboxes.has(each.id));
  const stayingIds = new Set(staying.map((each) => each.id));
  const snapshots: SnapshotRecord[] = [];
  let left = [...view.snapshots];
  const drop = (record: SnapshotRecord) => {
    snapshots.push(record);
    left = left.filter((each) => each.record.id !== record.id);
  };
  for (const { record, state } of view.snapshots) if (state === "abandoned") drop(record);
  const isNeeded = (id: SnapshotId) =>
    left.some((each) => each.record.parent?.id === id) ||
    staying.some((each) => each.base === id || each.suspended === id);
  const imageLayers = new Set(view.images.map((image) => image.layer));
  const ofGoneImage = new Set(
    view.warmStarts.filter(({ layer }) => !imageLayers.has(layer)).map(({ snapshot }) => snapshot),
  );
  const mayGo = ({ record, state }: (typeof left)[number], unprotected: ReadonlySet<SnapshotId>) => {
    if (state !== "ready" || isNeeded(record.id)) return false;
    if (record.suspendOf !== undefined && !stayingIds.has(record.suspendOf)) return true;
    return unprotected.has(record.id) || ofGoneImage.has(record.id);
  };
  const unprotected = unprotectedByPolicy(view, policy);
  // a leaf that goes may make a leaf of what it stood on
  for (let next = left.find((each) => mayGo(each, unprotected)); next !== undefined; ) {
    drop(next.record);
    next = left.find((each) => mayGo(each, unprotected));
  }
  const layers = new Set<DiskLayerId>([
    ...view.images.map((image) => image.layer),
    ...staying.flatMap((each) => each.disk.map((layer) => layer.id)),
    ...left.flatMap(({ record }) => record.disk.map((layer) => layer.id)),
  ]);
  const mapped = new Set(staying.flatMap((each) => each.base ?? []));
  return {
    sandboxes,
    snapshots,
    diskLayers: view.diskLayers.filter((id) => !layers.has(id)),
    memoryImages: view.memoryImages.filter((id) => !mapped.has(id)),
    staging: view.staging,
    strays: view.strays,
  };
}

/** A machine that died leaves its disk: only whoever owns it says that it may go (`sandbox rm`). */
function holdsWork(record: SandboxRecord): boolean {
  return record.status !== "pooled" && record.scratch !== true;
}

function unprotectedByPolicy(view: GcView, policy: GcPolicy): Set<SnapshotId> {
  if (policy.olderThanMs === undefined && policy.keep === undefined) return new Set();
  const warm = new Set(view.warmStarts.map(({ snapshot }) => snapshot));
  const unnamed = view.snapshots
    .map(({ record }) => record)
    .filter((each) => each.name === undefined && each.suspendOf === undefined && !warm.has(each.id))
    .sort((a, b) => b.createdAtMs - a.createdAtMs)
    .slice(policy.keep ?? 0);
  const { olderThanMs } = policy;
  return new Set(
    unnamed
      .filter((record) => olderThanMs === undefined || view.nowMs - record.createdAtMs > olderThanMs)
      .map((record) => record.id),
  );
}

/** Plans and, unless `dryRun`, removes. Nothing is started, removed or unpacked meanwhile. */
export async function collectSandboxGarbage(
  context: SandboxContext,
  policy: GcPolicy & { readonly dryRun?: boolean },
): Promise<GcPlan> {
  return withLock(context, snapshotsLock, () =>
    withLock(context, "images", async () => {
      const plan = planGc(viewHome(context), policy);
      if (policy.dryRun !== true) await applyGc(context, plan);
      return plan;
    }),
  );
}

function viewHome(context: SandboxContext): GcView {
  const names = (folder: Parameters<typeof context.home.folder>[0]) =>
    (context.files.listIfExists(context.home.folder(folder)) ?? []).map((entry) => entry.name);
  const sandboxes = listSandboxes(context);
  const snapshots = listSnapshots(context);
  const known = new Set<string>([...sandboxes, ...snapshots].map((each) => each.id));
  return {
    nowMs: context.clock.nowMs(),
    images: listSandboxImages(context.files, context.home.folder("images")),
    sandboxes: sandboxes.map((record) => ({ record, state: sandboxState(context, record) })),
    snapshots: snapshots.map((record) => ({ record, state: snapshotState(context, record) })),
    diskLayers: [
      ...new Set(names("disks").flatMap((name) => parseDiskLayerId(name.split(".")[0] ?? "") ?? [])),
    ],
    memoryImages: names("memory").flatMap((name) =>
      name.endsWith(".mem") ? (parseSnapshotId(name.slice(0, -4)) ?? []) : [],
    ),
    warmStarts: listWarmStarts(context),
    staging: names("staging").filter((name) => isLeftInStaging(context, name)),
    strays: [
      ...names("sandboxes")
        .filter((name) => !known.has(name))
        .map((name) => join(context.home.folder("sandboxes"), name)),
      ...names("snapshots")
        .filter((name) => !known.has(name))
        .map((name) => join(context.home.folder("snapshots"), name)),
      ...names("names")
        .map((name) => join(context.home.folder("names"), name))
        .filter((path) => !known.has(context.files.readIfExists(path)?.toString("latin1") ?? "")),
    ],
  };
}

async function applyGc(context: SandboxContext, plan: GcPlan): Promise<void> {
  for (const sandbox of plan.sandboxes) await eraseSandbox(context, sandbox);
  for (const snapshot of plan.snapshots) {
    await endBlockServer(context, snapshot.id);
    eraseSnapshot(context, snapshot);
  }
  for (const snapshot of listSnapshots(context)) {
    await clearDeadBlockServer(context, snapshot.id, { keepCache: snapshot.remote !== undefined });
  }
  for (const id of plan.diskLayers) removeDiskLayer(context, id);
  for (const id of plan.memoryImages) removeMemoryImage(context, id);
  for (const name of plan.staging) context.files.removeTree(join(context.home.folder("staging"), name));
  for (const path of plan.strays) context.files.removeTree(path);
}

/** The ids of what goes, by kind. */
export function describeGcPlan(plan: GcPlan): Record<string, readonly string[]> {
  return {
    sandboxes: plan.sandboxes.map((each) => each.id),
    snapshots: plan.snapshots.map((each) => each.id),
    diskLayers: plan.diskLayers,
    memoryImages: plan.memoryImages,
    unfinished: plan.staging,
    strays: plan.strays,
  };
}
