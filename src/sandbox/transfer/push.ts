import { KeyframeError } from "../../base/errors.ts";
import { type ImageId, parseImageId } from "../../blocks/ids.ts";
import { createFromFile } from "../../blocks/images/publish/create-from-file.ts";
import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import { bytesContent } from "../../blocks/stores/interface/object-content.ts";
import { fault } from "../../system/fault.ts";
import type { DiskLayerId, ObjectName, SnapshotId } from "../ids.ts";
import { openMemoryDiff } from "../memory/diff-file.ts";
import { pageBytes } from "../memory/page-runs.ts";
import { checkDiskLayer } from "../store/disk-layers.ts";
import type { SandboxContext } from "../store/home.ts";
import {
  mustBeLocal,
  openChain,
  type ReadySnapshot,
  readDeviceState,
  snapshotFiles,
} from "../store/snapshot-store.ts";
import {
  diskLayerKey,
  encodeRemoteSnapshot,
  publishSnapshotName,
  type RemoteSnapshot,
  readIfThere,
  readRemoteSnapshot,
  snapshotKey,
} from "./remote-snapshot.ts";

export interface PushSnapshotOptions {
  readonly name: ObjectName | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: (snapshot: SnapshotId, doneBytes: number, totalBytes: number) => void;
}

export interface PushResult {
  readonly id: SnapshotId;
  /** Snapshots of the chain that were sent, and that the store had. */
  readonly sent: readonly SnapshotId[];
  readonly present: readonly SnapshotId[];
  /** Bytes of new objects in the store. */
  readonly storedBytes: number;
}

/**
 * Puts a snapshot and all that it depends on into a store of images. What the store has is not sent again: snapshots by
 * their id, disk layers by their digest, blocks by theirs. A snapshot is described after its parts are there and after
 * its parent, and named last: one that was half sent does not exist.
 */
export async function pushSnapshot(
  context: SandboxContext,
  repository: ImageRepository,
  head: ReadySnapshot,
  options: PushSnapshotOptions,
): Promise<PushResult> {
  const { store } = repository;
  const { name, signal } = options;
  const sent: SnapshotId[] = [];
  const present: SnapshotId[] = [];
  const layers = new Map<DiskLayerId, ImageId>();
  let storedBytes = 0;

  async function sendFile(link: ReadySnapshot, path: string): Promise<ImageId> {
    const image = await createFromFile(repository, path, {
      blockSizeBytes: pageBytes,
      signal,
      onProgress: (done, total) => options.onProgress?.(link.id, done, total),
    });
    storedBytes += image.layer?.objectBytes ?? 0;
    return image.id;
  }

  async function sendLayer(link: ReadySnapshot, layer: ReadySnapshot["disk"][number]): Promise<ImageId> {
    const known = layers.get(layer.id) ?? (await imageOfLayer(layer.sha256));
    if (known !== undefined) return known;
    await checkDiskLayer(context, layer, { expected: layer.sha256, deep: true });
    const image = await sendFile(link, context.home.diskLayer(layer.id, layer.kind));
    fault("snapshot-push:after-layer");
    await store.put(diskLayerKey(layer.sha256), bytesContent(Buffer.from(`${image}\n`)), { signal });
    return image;
  }

  async function imageOfLayer(sha256: string): Promise<ImageId | undefined> {
    const bytes = await readIfThere(store, diskLayerKey(sha256), 256, signal);
    return bytes === undefined ? undefined : parseImageId(bytes.toString("latin1").trim());
  }

  async function sendLink(link: ReadySnapshot): Promise<RemoteSnapshot> {
    mustBeLocal(link);
    checkMemory(context, link);
    const memory = await sendFile(link, snapshotFiles(context, link.id).memory);
    fault("snapshot-push:after-memory");
    for (const layer of link.disk) layers.set(layer.id, await sendLayer(link, layer));
    const disk = new Map(link.disk.map(({ id }) => [id, layers.get(id) as ImageId]));
    return { record: link, deviceState: readDeviceState(context, link), memory, disk };
  }

  for (const link of openChain(context, head)) {
    const there = await readRemoteSnapshot(store, link.id, signal);
    if (there !== undefined && there.record.seal !== link.seal) {
      throw new KeyframeError("refused", `${store.location} has another snapshot ${link.id}`);
    }
    if (there !== undefined) {
      for (const [id, image] of there.disk) layers.set(id, image);
      present.push(link.id);
      continue;
    }
    const remote = await sendLink(link);
    fault("snapshot-push:before-describe");
    await store.put(snapshotKey(link.id), bytesContent(encodeRemoteSnapshot(remote)), { signal });
    sent.push(link.id);
  }
  fault("snapshot-push:before-name");
  if (name !== undefined) await publishSnapshotName(store, { name, id: head.id }, signal);
  return { id: head.id, sent, present, storedBytes };
}

/** Reads the whole memory against its digests: what is pushed is what was saved. */
function checkMemory(context: SandboxContext, link: ReadySnapshot): void {
  const diff = openMemoryDiff(snapshotFiles(context, link.id).memory, link.memory.tableDigest);
  try {
    for (const run of diff.table.runs) if (run.kind === "data") diff.readRun(run);
  } finally {
    diff.close();
  }
}
