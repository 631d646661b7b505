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
import { type SandboxWorld, snapshotsLock, withLock } from "../store/home.ts";
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
 * Makes a snapshot that stands on nothing and starts the same guest: one memory diff against zeros, one disk layer.
 * What it was made from stays as it is.
 */
export async function compactSnapshot(
  world: SandboxWorld,
  source: ReadySnapshot,
  options: { readonly name?: ObjectName } = {},
): Promise<ReadySnapshot> {
  for (const link of openChain(world, source)) mustBeLocal(link);
  await checkSnapshotDisk(world, source);
  const id = newSnapshotId(world.random);
  const layer: DiskLayerRef = { id: newDiskLayerId(world.random), kind: "qcow2" };
  const { parent: _parent, name: _name, seal: _seal, suspendOf: _suspendOf, ...kept } = source;
  const writing: SnapshotRecord = {
    ...kept,
    id,
    ...(options.name === undefined ? {} : { name: options.name }),
    state: "writing",
    writer: world.processTable.self(),
    createdAtMs: world.clock.nowMs(),
    disk: [{ ...layer, sha256: "0".repeat(64) }],
  };
  const files = snapshotFiles(world, id);
  try {
    await withLock(world, snapshotsLock, async () => {
      if (options.name !== undefined) claimName(world, "snapshot", options.name, id);
      world.files.makeFolder(files.folder, { mode: 0o700 });
      saveSnapshotRecord(world, writing);
    });
    fault("compact:after-intent");
    const memory = await flattenMemory(world, source, files.memory);
    world.files.replace(files.deviceState, readDeviceState(world, source), { mode: 0o600 });
    const sha256 = await flattenDisk(world, source, layer);
    const { writer: _writer, ...rest } = writing;
    const complete = {
      ...rest,
      state: "ready" as const,
      memory,
      deviceState: source.deviceState,
      disk: [{ ...layer, sha256 }],
    };
    const ready: ReadySnapshot = { ...complete, seal: sealOf(complete) };
    saveSnapshotRecord(world, ready);
    return ready;
  } catch (error) {
    eraseSnapshot(world, writing);
    removeDiskLayer(world, layer.id);
    throw error;
  }
}

async function flattenMemory(
  world: SandboxWorld,
  source: ReadySnapshot,
  path: string,
): Promise<ReadySnapshot["memory"]> {
  const { memoryBytes } = source.memory;
  const image = openDataFile(await ensureMemoryImage(world, source), "read");
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

async function flattenDisk(world: SandboxWorld, source: ReadySnapshot, layer: DiskLayerRef): Promise<string> {
  const path = world.home.diskLayer(layer.id, "qcow2");
  const from = `json:${JSON.stringify(nested(diskLayerFiles(world, source.disk)))}`;
  const result = await world.processes.run("qemu-img", ["convert", "-O", "qcow2", from, path], {
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
  return recordDiskLayer(world, layer, await digestFile(world, path)).sha256;
}

/** Every layer named, as for a machine: nothing that a header says is followed. */
function nested(layers: DiskLayers): object | null {
  const [top, ...below] = layers;
  if (top === undefined) return null;
  const file = { driver: "file", filename: top.path };
  return top.format === "raw" ? { driver: "raw", file } : { driver: "qcow2", file, backing: nested(below) };
}
