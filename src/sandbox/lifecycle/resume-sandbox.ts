import { KeyframeError } from "../../base/errors.ts";
import type { GuestChannel } from "../guest/channel.ts";
import { withGuest } from "../guest/session.ts";
import { prepareGuestKernel } from "../image/guest-kernel.ts";
import { eraseSandbox } from "../removal/erase-sandbox.ts";
import { removeDiskLayer } from "../store/disk-layers.ts";
import { type SandboxContext, withLock } from "../store/home.ts";
import { type DiskLayerRef, readDiskLayerRecord, type SandboxRecord } from "../store/records.ts";
import { findSandbox, sandboxState, saveSandboxRecord } from "../store/sandbox-store.ts";
import { findSnapshot, listSnapshots, mustBeReady, snapshotState } from "../store/snapshot-store.ts";
import { planFromSnapshot, type SandboxPlan, type StartedSandbox, startSandbox } from "./start-sandbox.ts";

/**
 * Continues a sandbox under its id and name: a stopped one where it was, one whose machine has died from its disk, as a
 * computer after a power cut. If that fails, it stays what it was.
 */
export async function resumeSandbox(
  context: SandboxContext,
  record: SandboxRecord,
  options: { readonly lifetimeMs?: number } = {},
): Promise<StartedSandbox> {
  return withLock(context, `resume-${record.id}`, async () => {
    const now = findSandbox(context, record.id);
    const plan = await planResume(context, now);
    try {
      return await startSandbox(context, {
        ...plan,
        id: now.id,
        ...(now.name === undefined ? {} : { name: now.name }),
        ...(now.image === undefined ? {} : { image: now.image }),
        ...(now.suspended === undefined ? {} : { suspended: now.suspended }),
        ...(options.lifetimeMs === undefined ? {} : { lifetimeMs: options.lifetimeMs }),
        ...(now.network === undefined ? {} : { network: now.network }),
        ...(now.idleMs === undefined ? {} : { idleMs: now.idleMs }),
        env: now.env,
      });
    } catch (error) {
      saveSandboxRecord(context, now);
      throw error;
    }
  });
}

async function planResume(context: SandboxContext, record: SandboxRecord): Promise<SandboxPlan> {
  const state = sandboxState(context, record);
  if (state === "stopped" && record.suspended !== undefined)
    return planFromSnapshot(context, mustBeReady(context, findSnapshot(context, record.suspended)));
  if (state !== "dead") {
    throw new KeyframeError("refused", `sandbox ${record.name ?? record.id} is not stopped`);
  }
  const plan = await planDiskBoot(context, record);
  sayWhatElseThereIs(context, record);
  return plan;
}

/** Its memory is lost; a snapshot of an earlier moment may have both. */
function sayWhatElseThereIs(context: SandboxContext, record: SandboxRecord): void {
  const latest = listSnapshots(context).findLast(
    (each) => each.sandbox === record.id && snapshotState(context, each) === "ready",
  );
  const label = record.name ?? record.id;
  const also =
    latest === undefined
      ? ""
      : `; \`keyframe sandbox run ${latest.name ?? latest.id}\` starts from memory and disk of ${new Date(latest.createdAtMs).toISOString()}`;
  context.warn(`the machine of ${label} ended without being stopped: it starts from its disk${also}`);
}

/**
 * Lets work be done in a machine of its own on the disk of a sandbox that does not run. What it writes is lost: the
 * disk stays as it was. The file system of a guest is read by a guest, never by this machine.
 */
export async function withDiskOf<T>(
  context: SandboxContext,
  record: SandboxRecord,
  work: (guest: GuestChannel) => Promise<T>,
): Promise<T> {
  const { record: reader } = await startSandbox(context, {
    ...(await planDiskBoot(context, record)),
    lifetimeMs: readerLifetimeMs,
    scratch: true,
  });
  try {
    return await withGuest(context, reader, work);
  } finally {
    await eraseSandbox(context, reader);
    const [top] = reader.disk;
    if (top !== undefined) removeDiskLayer(context, top.id);
  }
}

const readerLifetimeMs = 24 * 60 * 60 * 1000;

async function planDiskBoot(context: SandboxContext, record: SandboxRecord): Promise<SandboxPlan> {
  const disk = writtenLayers(context, record);
  const kernel = await prepareGuestKernel(context, context.home.folder("kernels"));
  return {
    shape: record.shape,
    generation: record.generation + 1,
    below: disk,
    start: { kind: "boot", kernelPath: kernel.kernelPath, initrdPath: kernel.initrdPath },
  };
}

/** A layer is recorded before its file is made: a first one without a file was never written to. */
function writtenLayers(context: SandboxContext, record: SandboxRecord): readonly DiskLayerRef[] {
  const [top, ...below] = record.disk;
  for (const layer of record.disk) {
    if (readDiskLayerRecord(context.files, context.home.diskLayerRecord(layer.id))?.remote !== true) continue;
    throw new KeyframeError("not-here", `the disk of ${record.name ?? record.id} is partly in a store`, {
      hint: "`keyframe snapshot pull` without --lazy brings it here",
    });
  }
  const isThere = (layer: DiskLayerRef) =>
    context.files.statIfExists(context.home.diskLayer(layer.id, layer.kind)) !== undefined;
  const layers = top !== undefined && !isThere(top) ? below : record.disk;
  const missing = layers.find((layer) => !isThere(layer));
  if (layers.length > 0 && missing === undefined) return layers;
  throw new KeyframeError(
    "damaged",
    `the disk of ${record.name ?? record.id} lacks its layer ${missing?.id ?? "at the top"}`,
  );
}
