import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { ImageId } from "../../blocks/ids.ts";
import { openImage } from "../../blocks/images/read/layered-image.ts";
import { readManifest } from "../../blocks/images/read/read-image.ts";
import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import { fault } from "../../system/fault.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { ObjectName } from "../ids.ts";
import { diskBytes } from "../limits.ts";
import { type SandboxContext, snapshotsLock, stagingPath, withLock } from "../store/home.ts";
import { readDiskLayerRecord, readSnapshotRecord, writeRecord } from "../store/records.ts";
import {
  claimName,
  mustBeReady,
  type ReadySnapshot,
  saveSnapshotRecord,
  snapshotFiles,
} from "../store/snapshot-store.ts";
import { asOurs, checkStaged, checkTakenChain, isHere, moveIn } from "./import-snapshot.ts";
import { type RemoteSnapshot, readRemoteChain } from "./remote-snapshot.ts";

export interface PullOptions {
  /** An id or a name in the store. */
  readonly snapshot: string;
  /** The name that it gets here. */
  readonly name: ObjectName | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Brings a snapshot and all that it depends on from a store of images. Everything goes into a staging directory and is
 * checked there against the sealed records; then it moves in. What is here already is not fetched.
 */
export async function pullSnapshot(
  context: SandboxContext,
  repository: ImageRepository,
  options: PullOptions,
): Promise<ReadySnapshot> {
  const { signal } = options;
  const remotes = await readRemoteChain(repository.store, options.snapshot, signal);
  const chain = remotes.map(({ record }) => record);
  checkTakenChain(chain);
  const staging = stagingPath(context, "pull");
  const staged = (kind: string, id: string) => join(staging, `${kind}-${id}`);
  context.files.makeFolder(staging, { mode: 0o700 });
  try {
    const missing = remotes.filter(({ record }) => !isComplete(context, record));
    const parts = new Map<string, ImageId>();
    for (const { record, memory, disk } of missing) {
      parts.set(staged("memory", record.id), memory);
      for (const layer of record.disk) {
        const image = disk.get(layer.id);
        if (image !== undefined && !isHere(context, layer)) parts.set(staged("layer", layer.id), image);
      }
    }
    let part = 0;
    for (const [path, image] of parts) {
      const before = part;
      await fetchFile(repository, image, path, {
        signal,
        onProgress: (done, total) => options.onProgress?.(before * total + done, parts.size * total),
      });
      part += 1;
      fault("snapshot-pull:after-part");
    }
    for (const { record, deviceState } of missing) {
      context.files.replace(staged("device-state", record.id), deviceState, { mode: 0o600 });
      await checkStaged(context, record, staged);
    }
    return await withLock(context, snapshotsLock, async () => moveIn(context, chain, staged, options.name));
  } finally {
    context.files.removeTree(staging);
  }
}

function isComplete(context: SandboxContext, record: ReadySnapshot): boolean {
  const here = readSnapshotRecord(context.files, snapshotFiles(context, record.id).record);
  return here !== undefined && here.remote === undefined;
}

/** The bytes of an image as a sparse file. They are verified on the way. */
async function fetchFile(
  repository: ImageRepository,
  id: ImageId,
  path: string,
  options: { readonly signal: AbortSignal; readonly onProgress: (done: number, total: number) => void },
): Promise<void> {
  const manifest = await readManifest(repository.store, id, options.signal);
  if (manifest.sizeBytes > diskBytes.most) {
    throw new KeyframeError("damaged", `image ${id} is larger than any part of a snapshot`);
  }
  const image = openImage(repository, manifest);
  const file = openDataFile(path, "create");
  try {
    file.resize(manifest.sizeBytes);
    for (const extent of image.extents({ offsetBytes: 0, lengthBytes: manifest.sizeBytes })) {
      if (extent.kind === "zero") continue;
      let at = extent.offsetBytes;
      for await (const piece of image.stream(extent, options.signal)) {
        file.write(at, piece);
        at += piece.length;
        options.onProgress(at, manifest.sizeBytes);
      }
    }
    file.sync();
  } finally {
    file.close();
    await image.close();
  }
}

/**
 * Makes a snapshot of a store known here without its data: what starts from it fetches what it touches. Its device
 * state comes at once.
 */
export async function pullLazily(
  context: SandboxContext,
  repository: ImageRepository,
  options: PullOptions & {
    readonly storeLocation: string;
    /** Throws where the store describes another snapshot than the caller means. */
    readonly check?: (chain: readonly RemoteSnapshot[]) => void;
  },
): Promise<ReadySnapshot> {
  const remotes = await readRemoteChain(repository.store, options.snapshot, options.signal);
  options.check?.(remotes);
  checkTakenChain(remotes.map(({ record }) => record));
  return withLock(context, snapshotsLock, async () => {
    let head: ReadySnapshot | undefined;
    for (const [index, remote] of remotes.entries()) {
      const name = index === remotes.length - 1 ? options.name : undefined;
      head = makeKnown(context, remote, { name, store: options.storeLocation });
    }
    if (head === undefined) throw new KeyframeError("not-found", `there is no snapshot ${options.snapshot}`);
    return head;
  });
}

function makeKnown(
  context: SandboxContext,
  remote: RemoteSnapshot,
  options: { readonly name: ObjectName | undefined; readonly store: string },
): ReadySnapshot {
  const { record, deviceState, memory, disk } = remote;
  const files = snapshotFiles(context, record.id);
  const here = readSnapshotRecord(context.files, files.record);
  if (here !== undefined && here.seal === record.seal) return mustBeReady(context, here);
  if (here !== undefined) {
    throw new KeyframeError("damaged", `another snapshot ${record.id} is here already`);
  }
  for (const layer of record.disk) {
    if (isHere(context, layer)) continue;
    const path = context.home.diskLayerRecord(layer.id);
    if (readDiskLayerRecord(context.files, path) !== undefined) continue;
    if (context.files.statIfExists(context.home.diskLayer(layer.id, layer.kind)) !== undefined) {
      throw new KeyframeError("damaged", `disk layer ${layer.id} is in use here`);
    }
    writeRecord(context.files, path, {
      format: 1,
      ...layer,
      file: { sizeBytes: 0, inode: 0, mtimeMs: 0, ctimeMs: 0 },
      remote: true,
    });
  }
  if (options.name !== undefined) claimName(context, "snapshot", options.name, record.id);
  const known: ReadySnapshot = {
    ...asOurs(record, options.name),
    remote: { store: options.store, memory, disk: Object.fromEntries(disk) },
  };
  context.files.makeFolder(files.folder, { mode: 0o700 });
  context.files.replace(files.deviceState, deviceState, { mode: 0o600 });
  fault("snapshot-pull:before-known");
  saveSnapshotRecord(context, known);
  return known;
}
