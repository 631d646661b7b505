import { join } from "node:path";
import type { MachineShape } from "../hypervisor.ts";
import { type DiskLayerId, parseDiskLayerId, parseSnapshotId, type SnapshotId } from "../ids.ts";
import type { SandboxWorld } from "./home.ts";
import type { SnapshotRecord } from "./records.ts";
import { listSnapshots } from "./snapshot-store.ts";

// A warm start is a snapshot of a machine that has just booted from an image: what starts from the image starts from
// there. Which one belongs to which image is said by claims of this home, never by a snapshot's own record, which may
// come from somewhere else.

export interface WarmKey {
  readonly layer: DiskLayerId;
  readonly shape: Pick<MachineShape, "memoryMiB" | "cpus" | "diskBytes" | "accelerator">;
  /** Of the guest's kernel and program. */
  readonly kernelDigest: string;
}

export interface WarmStart {
  readonly snapshot: SnapshotId;
  readonly layer: DiskLayerId;
}

export function findWarmStart(world: SandboxWorld, key: WarmKey): SnapshotId | undefined {
  return parseSnapshotId(world.files.readIfExists(claimPath(world, key))?.toString("latin1") ?? "");
}

export function recordWarmStart(world: SandboxWorld, key: WarmKey, snapshot: SnapshotId): void {
  world.files.replace(claimPath(world, key), Buffer.from(snapshot), { mode: 0o600 });
}

export function forgetWarmStart(world: SandboxWorld, key: WarmKey): void {
  world.files.remove(claimPath(world, key));
}

export function listWarmStarts(world: SandboxWorld): WarmStart[] {
  const folder = world.home.folder("names");
  return (world.files.listIfExists(folder) ?? []).flatMap(({ name }) => {
    const layer = parseDiskLayerId(/^warm\.([^.]+)\./.exec(name)?.[1] ?? "");
    if (layer === undefined) return [];
    const text = world.files.readIfExists(join(folder, name))?.toString("latin1") ?? "";
    const snapshot = parseSnapshotId(text);
    return snapshot === undefined ? [] : [{ snapshot, layer }];
  });
}

/** The snapshots that a user made, without the warm starts of images. */
export function listOwnSnapshots(world: SandboxWorld): SnapshotRecord[] {
  const warm = new Set(listWarmStarts(world).map(({ snapshot }) => snapshot));
  return listSnapshots(world).filter(({ id }) => !warm.has(id));
}

function claimPath(world: SandboxWorld, { layer, shape, kernelDigest }: WarmKey): string {
  const { memoryMiB, cpus, diskBytes, accelerator } = shape;
  const name = ["warm", layer, memoryMiB, cpus, diskBytes, accelerator, kernelDigest].join(".");
  return join(world.home.folder("names"), name);
}
