import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { KeyframeError } from "../../base/errors.ts";
import { parseSnapshotId, type SnapshotId } from "../ids.ts";
import { maxChainDepth } from "../limits.ts";
import { checkDiskLayer } from "./disk-layers.ts";
import type { SandboxContext } from "./home.ts";
import { readSnapshotRecord, type SnapshotRecord, writeRecord } from "./records.ts";

/** A snapshot that is complete. */
export interface ReadySnapshot extends SnapshotRecord {
  readonly state: "ready";
  readonly memory: NonNullable<SnapshotRecord["memory"]>;
  readonly deviceState: NonNullable<SnapshotRecord["deviceState"]>;
  readonly seal: string;
}

/** `abandoned`: its writer ended before it was complete; only `gc` and `rm` touch it. */
export type SnapshotState = "writing" | "ready" | "abandoned";

export function snapshotFiles(context: SandboxContext, id: SnapshotId) {
  const folder = context.home.snapshotFolder(id);
  return {
    folder,
    record: join(folder, "snapshot.json"),
    memory: join(folder, "memory.diff"),
    deviceState: join(folder, "device-state"),
  };
}

export function listSnapshots(context: SandboxContext): SnapshotRecord[] {
  const ids = (context.files.listIfExists(context.home.folder("snapshots")) ?? []).flatMap(
    (entry) => parseSnapshotId(entry.name) ?? [],
  );
  return ids
    .flatMap((id) => readSnapshotRecord(context.files, snapshotFiles(context, id).record) ?? [])
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
}

export function snapshotState(context: SandboxContext, record: SnapshotRecord): SnapshotState {
  if (record.state === "ready") return "ready";
  return record.writer !== undefined && context.processTable.isRunning(record.writer)
    ? "writing"
    : "abandoned";
}

/** By id or name; `not-found`. */
export function findSnapshot(context: SandboxContext, text: string): SnapshotRecord {
  const id = parseSnapshotId(text);
  const record =
    id !== undefined
      ? readSnapshotRecord(context.files, snapshotFiles(context, id).record)
      : listSnapshots(context).find((each) => each.name === text);
  if (record === undefined) {
    throw new KeyframeError("not-found", `there is no snapshot ${text}`, {
      hint: "`keyframe snapshot list` lists them",
    });
  }
  return record;
}

/** Throws `not-ready` unless the snapshot is complete. */
export function mustBeReady(context: SandboxContext, record: SnapshotRecord): ReadySnapshot {
  const state = snapshotState(context, record);
  if (state === "writing") {
    throw new KeyframeError("not-ready", `snapshot ${record.name ?? record.id} is still being written`, {
      hint: "wait until `keyframe snapshot list` shows it as ready",
    });
  }
  const { memory, deviceState, seal } = record;
  if (state === "abandoned" || memory === undefined || deviceState === undefined || seal === undefined) {
    throw new KeyframeError(
      "not-ready",
      `snapshot ${record.name ?? record.id} was never completed: its writer ended`,
      {
        hint: "remove it with `keyframe snapshot rm`, or all such with `keyframe snapshot clean`",
      },
    );
  }
  return { ...record, state: "ready", memory, deviceState, seal };
}

/**
 * The snapshot and its ancestors, root first, each checked against its seal and against what its child remembers of
 * it: a parent that was replaced is `damaged`, one that is gone is `not-found`, whatever its name is now.
 */
export function openChain(context: SandboxContext, head: ReadySnapshot): ReadySnapshot[] {
  const chain: ReadySnapshot[] = [head];
  for (let link = head; link.parent !== undefined; ) {
    if (chain.length > maxChainDepth) {
      throw new KeyframeError("too-large", `snapshot ${head.id} has more than ${maxChainDepth} ancestors`, {
        hint: "shorten the chain with `keyframe snapshot flatten`",
      });
    }
    const { id, seal } = link.parent;
    const record = readSnapshotRecord(context.files, snapshotFiles(context, id).record);
    if (record === undefined) {
      throw new KeyframeError("damaged", `snapshot ${link.id} depends on ${id}, which is missing`);
    }
    const parent = mustBeReady(context, record);
    if (parent.seal !== seal) {
      throw new KeyframeError(
        "damaged",
        `snapshot ${link.id} depends on another ${id} than the one that is there`,
      );
    }
    chain.push(parent);
    link = parent;
  }
  for (const link of chain) {
    if (sealOf(link) !== link.seal) {
      throw new KeyframeError("damaged", `the record of snapshot ${link.id} does not match its seal`);
    }
  }
  return chain.reverse();
}

/** `not-here` for a snapshot whose data is in a store only. */
export function mustBeLocal(snapshot: ReadySnapshot): void {
  if (snapshot.remote === undefined) return;
  throw new KeyframeError(
    "not-here",
    `the data of snapshot ${snapshot.name ?? snapshot.id} is in ${snapshot.remote.store}`,
    { hint: "`keyframe snapshot pull` without --lazy brings it here" },
  );
}

/** SHA-256 over what decides the guest: memory, devices, disk, shape, and the same of every ancestor. */
export function sealOf(record: Omit<ReadySnapshot, "seal">): string {
  const { shape, memory, deviceState } = record;
  return sha256Hex(
    JSON.stringify([
      record.id,
      record.parent?.seal ?? null,
      [shape.memoryMiB, shape.cpus, shape.diskBytes, shape.accelerator, shape.machine, shape.processor],
      record.hypervisor,
      record.generation,
      [memory.memoryBytes, memory.tableDigest],
      [deviceState.sizeBytes, deviceState.sha256],
      record.disk.map((layer) => [layer.id, layer.kind, layer.sha256]),
    ]),
  );
}

/** The device state, checked. */
export function readDeviceState(context: SandboxContext, snapshot: ReadySnapshot): Buffer {
  const path = snapshotFiles(context, snapshot.id).deviceState;
  const bytes = context.files.readIfExists(path);
  if (bytes === undefined) throw new KeyframeError("damaged", `${path} is missing`);
  const actual = sha256Hex(bytes);
  if (actual !== snapshot.deviceState.sha256) {
    throw new KeyframeError(
      "damaged",
      `${path} does not match its digest: expected ${snapshot.deviceState.sha256}, found ${actual}`,
    );
  }
  return bytes;
}

/** Throws `damaged` at the first disk layer that is not what the snapshot was made with. */
export async function checkSnapshotDisk(context: SandboxContext, snapshot: ReadySnapshot): Promise<void> {
  for (const layer of snapshot.disk) await checkDiskLayer(context, layer, { expected: layer.sha256 });
}

/** Takes the name for the id; `already-exists` if another has it. */
export function claimName(
  context: SandboxContext,
  kind: "sandbox" | "snapshot",
  name: string,
  id: string,
): void {
  if (context.files.createIfAbsent(context.home.nameClaim(kind, name), Buffer.from(id), { mode: 0o600 }))
    return;
  throw new KeyframeError("already-exists", `there is a ${kind} named ${name}`, {
    hint: `choose another name, or remove it with \`keyframe ${kind} rm ${name}\``,
  });
}

/** Gives the name back if the id has it. */
export function releaseName(
  context: SandboxContext,
  kind: "sandbox" | "snapshot",
  name: string,
  id: string,
): void {
  const path = context.home.nameClaim(kind, name);
  if (context.files.readIfExists(path)?.toString("latin1") === id) context.files.remove(path);
}

export function saveSnapshotRecord(context: SandboxContext, record: SnapshotRecord): void {
  writeRecord(context.files, snapshotFiles(context, record.id).record, record);
}
