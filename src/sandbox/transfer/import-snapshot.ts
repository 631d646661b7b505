import { KeyframeError } from "../../base/errors.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { ObjectName } from "../ids.ts";
import { openMemoryDiff } from "../memory/diff-file.ts";
import { digestFile, recordDiskLayer } from "../store/disk-layers.ts";
import type { SandboxContext } from "../store/home.ts";
import { parseQcow2Header, qcow2HeaderBytes } from "../store/qcow2-header.ts";
import { parseSnapshotRecord, readDiskLayerRecord } from "../store/records.ts";
import {
  claimName,
  mustBeReady,
  type ReadySnapshot,
  saveSnapshotRecord,
  sealOf,
  snapshotFiles,
} from "../store/snapshot-store.ts";

// Snapshots from outside: first everything is put into a staging directory and checked there, then it moves in.

/** Where a part lies until it moves in: kind is `memory`, `device-state` or `layer`. */
export type StagedPath = (kind: string, id: string) => string;

/** Throws `damaged` unless the records, root first, are sealed and each depends on the one before. */
export function checkTakenChain(chain: readonly ReadySnapshot[]): void {
  for (const [index, link] of chain.entries()) {
    const below = chain[index - 1];
    if (link.parent?.id !== below?.id || link.parent?.seal !== below?.seal)
      throw damaged("its snapshots do not form a chain");
    if (sealOf(link) !== link.seal) throw damaged(`the record of ${link.id} does not match its seal`);
  }
}

/** True if the layer's bytes are on this machine already; another layer of the same id is `damaged`. */
export function isHere(context: SandboxContext, layer: ReadySnapshot["disk"][number]): boolean {
  const known = readDiskLayerRecord(context.files, context.home.diskLayerRecord(layer.id));
  if (known !== undefined && known.sha256 !== layer.sha256)
    throw damaged(`another disk layer ${layer.id} is here already`);
  return known !== undefined && known.remote !== true;
}

/** The parts must be what the sealed record says, and a layer must be nothing but a layer. */
export async function checkStaged(
  context: SandboxContext,
  link: ReadySnapshot,
  staged: StagedPath,
): Promise<void> {
  const diff = openMemoryDiff(staged("memory", link.id), link.memory.tableDigest);
  try {
    if (diff.table.memoryBytes !== link.memory.memoryBytes)
      throw damaged(`${link.id} has another memory size than declared`);
    for (const run of diff.table.runs) if (run.kind === "data") diff.readRun(run);
  } finally {
    diff.close();
  }
  if ((await digestFile(context, staged("device-state", link.id))) !== link.deviceState.sha256)
    throw damaged(`the device state of ${link.id}`);
  for (const layer of link.disk) {
    const path = staged("layer", layer.id);
    if (isHere(context, layer) && context.files.statIfExists(path) === undefined) continue;
    if ((await digestFile(context, path)) !== layer.sha256)
      throw damaged(`disk layer ${layer.id} does not match the snapshot's record`);
    if (layer.kind === "raw") continue;
    const file = openDataFile(path, "read");
    try {
      const header = Buffer.alloc(qcow2HeaderBytes);
      file.read(0, header);
      parseQcow2Header(header, `disk layer ${layer.id}`);
    } finally {
      file.close();
    }
  }
}

/** Under the snapshots' lock. What is here already is not taken twice; root first, so that no parent is ever missing. */
export function moveIn(
  context: SandboxContext,
  chain: readonly ReadySnapshot[],
  staged: StagedPath,
  name: ObjectName | undefined,
): ReadySnapshot {
  const layers = new Map(chain.flatMap((link) => link.disk.map((layer) => [layer.id, layer] as const)));
  for (const layer of layers.values()) {
    if (isHere(context, layer)) continue;
    const path = context.home.diskLayer(layer.id, layer.kind);
    if (context.files.statIfExists(path) !== undefined)
      throw damaged(`disk layer ${layer.id} is in use here`);
    context.files.rename(staged("layer", layer.id), path);
    recordDiskLayer(context, layer, layer.sha256);
  }
  let head: ReadySnapshot | undefined;
  for (const [index, link] of chain.entries()) {
    head = moveSnapshotIn(context, link, staged, index === chain.length - 1 ? name : undefined);
  }
  if (head === undefined) throw damaged("it holds no snapshot");
  return head;
}

function moveSnapshotIn(
  context: SandboxContext,
  link: ReadySnapshot,
  staged: StagedPath,
  name: ObjectName | undefined,
): ReadySnapshot {
  const files = snapshotFiles(context, link.id);
  if (context.files.statIfExists(files.record) !== undefined) {
    const here = mustBeReady(
      context,
      parseSnapshotRecord(JSON.parse(context.files.read(files.record).toString("utf8")), files.record),
    );
    if (here.seal !== link.seal) throw damaged(`another snapshot ${link.id} is here already`);
    if (here.remote === undefined) return here;
    const { remote: _remote, ...complete } = here;
    context.files.rename(staged("memory", link.id), files.memory);
    saveSnapshotRecord(context, complete);
    return complete;
  }
  if (name !== undefined) claimName(context, "snapshot", name, link.id);
  const record = asOurs(link, name);
  context.files.makeFolder(files.folder, { mode: 0o700 });
  context.files.rename(staged("memory", link.id), files.memory);
  context.files.rename(staged("device-state", link.id), files.deviceState);
  saveSnapshotRecord(context, record);
  return record;
}

/** Names of the other machine are not ours, nor are the sandbox that it was made from and where it looked for data. */
export function asOurs(link: ReadySnapshot, name: ObjectName | undefined): ReadySnapshot {
  const {
    name: _name,
    sandbox: _sandbox,
    suspendOf: _suspendOf,
    image: _image,
    remote: _remote,
    ...kept
  } = link;
  return { ...kept, ...(name === undefined ? {} : { name }) };
}

function damaged(why: string): KeyframeError {
  return new KeyframeError("damaged", `the snapshot was refused: ${why}`);
}
