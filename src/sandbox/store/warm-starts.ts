import { join } from "node:path";
import type { MachineShape } from "../hypervisor.ts";
import { type DiskLayerId, parseDiskLayerId, parseSnapshotId, type SnapshotId } from "../ids.ts";
import type { SandboxContext } from "./home.ts";
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

export function findWarmStart(context: SandboxContext, key: WarmKey): SnapshotId | undefined {
  return parseSnapshotId(context.files.readIfExists(claimPath(context, key))?.toString("latin1") ?? "");
}

export function recordWarmStart(context: SandboxContext, key: WarmKey, snapshot: SnapshotId): void {
  context.files.replace(claimPath(context, key), Buffer.from(snapshot), { mode: 0o600 });
}

export function forgetWarmStart(context: SandboxContext, key: WarmKey): void {
  context.files.remove(claimPath(context, key));
}

export function listWarmStarts(context: SandboxContext): WarmStart[] {
  const folder = context.home.folder("names");
  return (context.files.listIfExists(folder) ?? []).flatMap(({ name }) => {
    const layer = parseDiskLayerId(/^warm\.([^.]+)\./.exec(name)?.[1] ?? "");
    if (layer === undefined) return [];
    const text = context.files.readIfExists(join(folder, name))?.toString("latin1") ?? "";
    const snapshot = parseSnapshotId(text);
    return snapshot === undefined ? [] : [{ snapshot, layer }];
  });
}

/** The snapshots that a user made, without the warm starts of images. */
export function listOwnSnapshots(context: SandboxContext): SnapshotRecord[] {
  const warm = new Set(listWarmStarts(context).map(({ snapshot }) => snapshot));
  return listSnapshots(context).filter(({ id }) => !warm.has(id));
}

function claimPath(context: SandboxContext, { layer, shape, kernelDigest }: WarmKey): string {
  const { memoryMiB, cpus, diskBytes, accelerator } = shape;
  const name = ["warm", layer, memoryMiB, cpus, diskBytes, accelerator, kernelDigest].join(".");
  return join(context.home.folder("names"), name);
}
