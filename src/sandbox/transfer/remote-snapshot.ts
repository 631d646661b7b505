import * as z from "zod";
import { sha256Hex } from "../../base/digest.ts";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { type ImageId, parseImageId } from "../../blocks/ids.ts";
import { bytesContent, readObject } from "../../blocks/stores/interface/object-content.ts";
import type { ObjectStore } from "../../blocks/stores/interface/object-store.ts";
import { type DiskLayerId, type ObjectName, parseSnapshotId, type SnapshotId } from "../ids.ts";
import { maxChainDepth, maxDeviceStateBytes, maxRecordBytes } from "../limits.ts";
import { parseSnapshotRecord } from "../store/records.ts";
import type { ReadySnapshot } from "../store/snapshot-store.ts";

// A snapshot in a store of images (docs/formats/remote-snapshot.md): its files are images; these objects name them.
//   snapshots/<id>                 record, device state, image of the memory diff, image of each disk layer
//   snapshot-names/<name>          the id that has the name
//   disk-layers/<sha256>           the image of a disk layer's file

/** A snapshot as a store holds it. */
export interface RemoteSnapshot {
  readonly record: ReadySnapshot;
  readonly deviceState: Buffer;
  readonly memory: ImageId;
  /** By disk layer. */
  readonly disk: ReadonlyMap<DiskLayerId, ImageId>;
}

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const descriptor = z.object({
  format: z.literal(1),
  record: z.unknown(),
  deviceState: z.base64(),
  memory: digest,
  disk: z.record(z.string(), digest),
});

// the device state is text here, which is a third longer
const maxDescriptorBytes = maxRecordBytes + Math.ceil(maxDeviceStateBytes * 1.4);

export function encodeRemoteSnapshot(remote: RemoteSnapshot): Buffer {
  const { record, deviceState, memory, disk } = remote;
  return Buffer.from(
    JSON.stringify({
      format: 1,
      record,
      deviceState: deviceState.toString("base64"),
      memory,
      disk: Object.fromEntries(disk),
    }),
  );
}

/** Throws `damaged` unless it describes a complete snapshot of this id whose parts are all named. */
export function parseRemoteSnapshot(bytes: Buffer, id: SnapshotId): RemoteSnapshot {
  const what = `the description of snapshot ${id}`;
  let fields: z.infer<typeof descriptor>;
  try {
    fields = descriptor.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new KeyframeError("damaged", `${what} is not one that this program knows`, { cause });
  }
  const record = parseSnapshotRecord(fields.record, what);
  const { state, memory, deviceState, seal } = record;
  if (
    record.id !== id ||
    state !== "ready" ||
    memory === undefined ||
    deviceState === undefined ||
    seal === undefined
  ) {
    throw new KeyframeError("damaged", `${what} is about another one or is not complete`);
  }
  const stateBytes = Buffer.from(fields.deviceState, "base64");
  if (sha256Hex(stateBytes) !== deviceState.sha256) {
    throw new KeyframeError("damaged", `the device state of snapshot ${id} does not match its digest`);
  }
  const disk = new Map<DiskLayerId, ImageId>();
  for (const layer of record.disk) {
    const image = fields.disk[layer.id];
    if (image === undefined) throw new KeyframeError("damaged", `${what} does not name layer ${layer.id}`);
    disk.set(layer.id, parseImageId(image));
  }
  return {
    record: { ...record, state, memory, deviceState, seal },
    deviceState: stateBytes,
    memory: parseImageId(fields.memory),
    disk,
  };
}

export function snapshotKey(id: SnapshotId): string {
  return `snapshots/${id}`;
}

export function diskLayerKey(sha256: string): string {
  return `disk-layers/${sha256}`;
}

/** Undefined if the store has no such snapshot. */
export async function readRemoteSnapshot(
  store: ObjectStore,
  id: SnapshotId,
  signal: AbortSignal,
): Promise<RemoteSnapshot | undefined> {
  const bytes = await readIfThere(store, snapshotKey(id), maxDescriptorBytes, signal);
  return bytes === undefined ? undefined : parseRemoteSnapshot(bytes, id);
}

/** The snapshot that an id or a name means and all that it depends on, root first. `not-found`. */
export async function readRemoteChain(
  store: ObjectStore,
  text: string,
  signal: AbortSignal,
): Promise<RemoteSnapshot[]> {
  const chain: RemoteSnapshot[] = [];
  let next: SnapshotId | undefined = parseSnapshotId(text) ?? (await readSnapshotName(store, text, signal));
  while (next !== undefined) {
    if (chain.length > maxChainDepth) {
      throw new KeyframeError("too-large", `snapshot ${text} has more than ${maxChainDepth} ancestors`);
    }
    const link = await readRemoteSnapshot(store, next, signal);
    if (link === undefined) {
      throw new KeyframeError("not-found", `there is no snapshot ${next} in ${store.location}`);
    }
    chain.push(link);
    next = link.record.parent?.id;
  }
  return chain.reverse();
}

async function readSnapshotName(store: ObjectStore, name: string, signal: AbortSignal): Promise<SnapshotId> {
  const bytes = await readIfThere(store, nameKey(name), 256, signal);
  if (bytes === undefined) {
    throw new KeyframeError("not-found", `there is no snapshot ${name} in ${store.location}`);
  }
  const id = parseSnapshotId(bytes.toString("latin1").trim());
  if (id === undefined) {
    throw new KeyframeError("damaged", `what the name ${name} means in ${store.location} is not a snapshot`);
  }
  return id;
}

/** Gives the snapshot a name in the store; `already-exists` if another one has it. */
export async function publishSnapshotName(
  store: ObjectStore,
  given: { readonly name: ObjectName; readonly id: SnapshotId },
  signal: AbortSignal,
): Promise<void> {
  const { name, id } = given;
  await store.put(nameKey(name), bytesContent(Buffer.from(`${id}\n`)), { signal });
  const owner = await readSnapshotName(store, name, signal);
  if (owner === id) return;
  throw new KeyframeError("already-exists", `the name ${name} means ${owner} in ${store.location}`, {
    hint: "push with another --name; the snapshot is there and can be pulled by its id",
  });
}

function nameKey(name: string): string {
  return `snapshot-names/${name}`;
}

export async function readIfThere(
  store: ObjectStore,
  key: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    return await readObject(store, key, { maxBytes, signal });
  } catch (error) {
    if (isKeyframeError(error, "not-found")) return undefined;
    throw error;
  }
}
