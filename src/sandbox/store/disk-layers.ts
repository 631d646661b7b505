import { createHash } from "node:crypto";
import { KeyframeError } from "../../base/errors.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { FileStat } from "../../system/files/files.ts";
import { nextTurn } from "../../system/turn.ts";
import type { DiskLayers } from "../hypervisor.ts";
import type { DiskLayerId } from "../ids.ts";
import { maxDiskLayers } from "../limits.ts";
import type { SandboxContext } from "./home.ts";
import { encodeEmptyOverlay } from "./qcow2-header.ts";
import { type DiskLayerRecord, type DiskLayerRef, readDiskLayerRecord, writeRecord } from "./records.ts";

// A disk is a stack of layers: files of one directory, each written by one machine while it is on top and by nobody
// afterwards. A layer that has a record is frozen.

/** Makes the file of a new, empty layer on top of others. Whoever will use it has recorded its id before. */
export function createDiskLayer(
  context: SandboxContext,
  layer: DiskLayerRef,
  below: readonly DiskLayerRef[],
  virtualBytes: number,
): void {
  const parent = below[0];
  if (parent === undefined) throw new RangeError("an overlay needs a layer below it");
  if (below.length >= maxDiskLayers) {
    throw new KeyframeError("too-large", `the disk has ${below.length} layers already`, {
      hint: "make a flat snapshot with `keyframe snapshot flatten` and start from that",
    });
  }
  const header = encodeEmptyOverlay({
    virtualBytes,
    backingFile: `${parent.id}.${parent.kind}`,
    backingFormat: parent.kind,
  });
  const path = context.home.diskLayer(layer.id, layer.kind);
  const created = context.files.createIfAbsent(path, header, { mode: 0o600 });
  if (!created) throw new KeyframeError("already-exists", `disk layer ${layer.id} exists`);
}

/** For the hypervisor. `served` are the layers that a block server shows under their ids. */
export function diskLayerFiles(
  context: SandboxContext,
  layers: readonly DiskLayerRef[],
  served?: { readonly socketPath: string; readonly layers: ReadonlySet<string> },
): DiskLayers {
  return layers.map(({ id, kind }) => ({
    path: context.home.diskLayer(id, kind),
    format: kind,
    ...(served?.layers.has(id) === true ? { socketPath: served.socketPath } : {}),
  }));
}

/**
 * The layers of a disk whose top is `top`. A record may begin with layers that were prepared and never switched to:
 * the machine knows what is on top.
 */
export function layersFrom(recorded: readonly DiskLayerRef[], top: string): DiskLayerRef[] {
  const at = recorded.findIndex((layer) => layer.id === top);
  if (at === -1)
    throw new KeyframeError("damaged", `the machine's disk has a layer that is not recorded: ${top}`);
  return recorded.slice(at);
}

/**
 * Records a layer that no machine writes any more. Waits until its bytes are on the disk, then takes its digest.
 * A layer that is recorded already keeps its record.
 */
export async function freezeDiskLayer(
  context: SandboxContext,
  layer: DiskLayerRef,
): Promise<DiskLayerRecord> {
  const known = readDiskLayerRecord(context.files, context.home.diskLayerRecord(layer.id));
  if (known !== undefined) return known;
  const path = context.home.diskLayer(layer.id, layer.kind);
  const file = openDataFile(path, "change");
  try {
    file.sync();
  } finally {
    file.close();
  }
  return recordDiskLayer(context, layer, await digestFile(context, path));
}

/** Writes the record of a layer whose digest was just computed. */
export function recordDiskLayer(
  context: SandboxContext,
  layer: DiskLayerRef,
  sha256: string,
): DiskLayerRecord {
  const path = context.home.diskLayer(layer.id, layer.kind);
  const record: DiskLayerRecord = {
    format: 1,
    id: layer.id,
    kind: layer.kind,
    sha256,
    file: seenAs(mustStat(context, path)),
  };
  writeRecord(context.files, context.home.diskLayerRecord(layer.id), record);
  return record;
}

/**
 * Throws `damaged` unless the layer is the one that was recorded, and has this digest where one is expected. A file
 * that has not been touched since its digest was taken is not read again, unless `deep`.
 */
export async function checkDiskLayer(
  context: SandboxContext,
  layer: DiskLayerRef,
  options: { readonly expected?: string; readonly deep?: boolean } = {},
): Promise<void> {
  const path = context.home.diskLayer(layer.id, layer.kind);
  const record = readDiskLayerRecord(context.files, context.home.diskLayerRecord(layer.id));
  if (record === undefined) throw new KeyframeError("damaged", `disk layer ${layer.id} has no record`);
  if (options.expected !== undefined && record.sha256 !== options.expected) {
    throw new KeyframeError(
      "damaged",
      `disk layer ${layer.id} is not the one that its snapshot was made with: expected ${options.expected}, found ${record.sha256}`,
    );
  }
  if (record.remote === true) {
    // the block server verifies what it shows
    if (options.deep !== true) return;
    throw new KeyframeError("not-here", `the data of disk layer ${layer.id} is in a store`, {
      hint: "`keyframe snapshot pull` without --lazy brings it here",
    });
  }
  const seen = seenAs(mustStat(context, path));
  if (options.deep !== true && sameFile(seen, record.file)) return;
  const actual = await digestFile(context, path);
  if (actual !== record.sha256) {
    throw new KeyframeError(
      "damaged",
      `disk layer ${path} does not match its digest: expected ${record.sha256}, found ${actual}`,
    );
  }
  writeRecord(context.files, context.home.diskLayerRecord(layer.id), { ...record, file: seen });
}

export function removeDiskLayer(context: SandboxContext, id: DiskLayerId): void {
  context.files.remove(context.home.diskLayer(id, "qcow2"));
  context.files.remove(context.home.diskLayer(id, "raw"));
  // last: a record without a file is seen and removed again, a file without a record could be a live layer
  context.files.remove(context.home.diskLayerRecord(id));
}

export async function digestFile(context: SandboxContext, path: string): Promise<string> {
  const hash = createHash("sha256");
  for (const piece of context.files.readChunks(path)) {
    hash.update(piece);
    await nextTurn();
  }
  return hash.digest("hex");
}

function mustStat(context: SandboxContext, path: string): FileStat {
  const stat = context.files.statIfExists(path);
  if (stat?.kind === "file") return stat;
  throw new KeyframeError("damaged", `disk layer ${path} is missing`);
}

function seenAs(stat: FileStat): DiskLayerRecord["file"] {
  return { sizeBytes: stat.sizeBytes, inode: stat.inode, mtimeMs: stat.mtimeMs, ctimeMs: stat.ctimeMs };
}

function sameFile(a: DiskLayerRecord["file"], b: DiskLayerRecord["file"]): boolean {
  return (
    a.sizeBytes === b.sizeBytes && a.inode === b.inode && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs
  );
}
