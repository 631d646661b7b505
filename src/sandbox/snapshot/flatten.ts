import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { DiskLayers } from "../hypervisor.ts";
import { newDiskLayerId, newSnapshotId, type ObjectName } from "../ids.ts";
import { ensureMemoryImage } from "../memory/cache.ts";
import { imagePages, writeMemoryDiff } from "../memory/diff-file.ts";
import { pageBytes } from "../memory/page-runs.ts";
import { eraseSnapshot } from "../removal/remove-snapshot.ts";
import { digestFile, diskLayerFiles, recordDiskLayer, removeDiskLayer } from "../store/disk-layers.ts";
import { type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import type { DiskLayerRef, SnapshotRecord } from "../store/records.ts";
import {
  checkSnapshotDisk,
  claimName,
  mustBeLocal,
  openChain,
  type ReadySnapshot,
  readDeviceState,
  saveSnapshotRecord,
  sealOf,
  snapshotFiles,
} from "../store/snapshot-store.ts";

const convertTimeoutMs = 60 * 60 * 1000;

/**
 * Makes a snapshot that depends on nothing and starts the same guest: one memory diff against zeros, one disk layer.
 * What it was made from stays as it is.
 */
export async function flattenSnapshot(
  context: SandboxContext,
  source: ReadySnapshot,
  options: { readonly name?: ObjectName } = {},
): Promise<ReadySnapshot> {
  for (const link of openChain(context, source)) mustBeLocal(link);
  await checkSnapshotDisk(context, source);
  const id = newSnapshotId(context.random);
  const layer: DiskLayerRef = { id: newDiskLayerId(context.random), kind: "qcow2" };
  const { parent: _parent, name: _name, seal: _seal, suspendOf: _suspendOf, ...kept } = source;
  const writing: SnapshotRecord = {
    ...kept,
    id,
    ...(options.name === undefined ? {} : { name: options.name }),
    state: "writing",
    writer: context.processTable.self(),
    createdAtMs: context.clock.nowMs(),
    disk: [{ ...layer, sha256: "0".repeat(64) }],
  };
  const files = snapshotFiles(context, id);
  try {
    await withLock(context, snapshotsLock, async () => {
      if (options.name !== undefined) claimName(context, "snapshot", options.name, id);
      context.files.makeFolder(files.folder, { mode: 0o700 });
      saveSnapshotRecord(context, writing);
    });
    fault("compact:after-intent");
    const memory = await flattenMemory(context, source, files.memory);
    context.files.replace(files.deviceState, readDeviceState(context, source), { mode: 0o600 });
    const sha256 = await flattenDisk(context, source, layer);
    const { writer: _writer, ...rest } = writing;
    const complete = {
      ...rest,
      state: "ready" as const,
      memory,
      deviceState: source.deviceState,
      disk: [{ ...layer, sha256 }],
    };
    const ready: ReadySnapshot = { ...complete, seal: sealOf(complete) };
    saveSnapshotRecord(context, ready);
    return ready;
  } catch (error) {
    eraseSnapshot(context, writing);
    removeDiskLayer(context, layer.id);
    throw error;
  }
}

async function flattenMemory(
  context: SandboxContext,
  source: ReadySnapshot,
  path: string,
): Promise<ReadySnapshot["memory"]> {
  const { memoryBytes } = source.memory;
  const image = openDataFile(await ensureMemoryImage(context, source), "read");
  const target = openDataFile(path, "create");
  try {
    const all = [{ firstPage: 0, pageCount: memoryBytes / pageBytes }];
    return {
      memoryBytes,
      ...(await writeMemoryDiff(target, imagePages(all, image), { memoryBytes, base: undefined })),
    };
  } finally {
    target.close();
    image.close();
  }
}

async function flattenDisk(
  context: SandboxContext,
  source: ReadySnapshot,
  layer: DiskLayerRef,
): Promise<string> {
  const path = context.home.diskLayer(layer.id, "qcow2");
  const from = `json:${JSON.stringify(nested(diskLayerFiles(context, source.disk)))}`;
  const result = await context.processes.run("qemu-img", ["convert", "-O", "qcow2", from, path], {
    timeoutMs: convertTimeoutMs,
  });
  if (result.code !== 0) {
    throw new KeyframeError(
      "program-failed",
      `qemu-img ended with ${result.code}: ${result.stderr.trim().slice(-1000)}`,
    );
  }
  const file = openDataFile(path, "change");
  try {
    file.sync();
  } finally {
    file.close();
  }
  return recordDiskLayer(context, layer, await digestFile(context, path)).sha256;
}

/** Every layer named, as for a machine: nothing that a header says is followed. */
function nested(layers: DiskLayers): object | null {
  const [top, ...below] = layers;
  if (top === undefined) return null;
  const file = { driver: "file", filename: top.path };
  return top.format === "raw" ? { driver: "raw", file } : { driver: "qcow2", file, backing: nested(below) };
}
