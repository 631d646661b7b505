import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";
import { tarBlockBytes, tarPadding } from "../../base/ustar.ts";
import { type DataFile, openDataFile } from "../../system/files/data-file.ts";
import type { ObjectName } from "../ids.ts";
import { diskBytes, maxChainDepth, maxRecordBytes } from "../limits.ts";
import { digestFile } from "../store/disk-layers.ts";
import { type SandboxContext, snapshotsLock, stagingPath, withLock } from "../store/home.ts";
import { type DiskLayerRef, parseSnapshotRecord } from "../store/records.ts";
import {
  checkSnapshotDisk,
  mustBeLocal,
  mustBeReady,
  openChain,
  type ReadySnapshot,
  readDeviceState,
  snapshotFiles,
} from "../store/snapshot-store.ts";
import { checkStaged, checkTakenChain, moveIn } from "./import-snapshot.ts";
import { encodePackHeader, parsePackHeader } from "./strict-tar.ts";

// A pack is a tar of plain files (docs/formats/snapshot-pack.md): pack.json, then for each snapshot from the root to
// the head its memory and device state, then the disk layers. What must follow is derived from the records in
// pack.json, never from the names in the archive.

const packHeader = z.object({
  format: z.literal(1),
  /** Records of the snapshots, root first; the last one is what was packed. */
  snapshots: z
    .array(z.unknown())
    .min(1)
    .max(maxChainDepth + 1),
  /** Of every member, in order. */
  members: z.array(
    z.object({
      name: z.string(),
      sizeBytes: z.int().nonnegative(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

interface Member {
  readonly name: string;
  /** Where its bytes are, or go. */
  readonly path: string;
}

/** Writes a snapshot and its ancestors into one file. */
export async function packSnapshot(
  context: SandboxContext,
  head: ReadySnapshot,
  target: string,
): Promise<{ readonly sizeBytes: number }> {
  const chain = openChain(context, head);
  for (const link of chain) {
    mustBeLocal(link);
    await checkSnapshotDisk(context, link);
    readDeviceState(context, link);
  }
  const members = planMembers(chain, {
    memory: (link) => snapshotFiles(context, link.id).memory,
    deviceState: (link) => snapshotFiles(context, link.id).deviceState,
    layer: (layer) => context.home.diskLayer(layer.id, layer.kind),
  });
  const described: PackMembers = [];
  for (const { name, path } of members) {
    const sizeBytes = context.files.statIfExists(path)?.sizeBytes;
    if (sizeBytes === undefined) throw new KeyframeError("damaged", `${path} is missing`);
    described.push({ name, sizeBytes, sha256: await digestFile(context, path) });
  }
  const header = Buffer.from(JSON.stringify({ format: 1, snapshots: chain, members: described }));
  const file = openDataFile(target, "create");
  try {
    let at = 0;
    const append = (bytes: Uint8Array) => {
      file.write(at, bytes);
      at += bytes.length;
    };
    append(encodePackHeader({ name: "pack.json", sizeBytes: header.length }));
    append(header);
    append(Buffer.alloc(tarPadding(header.length)));
    for (const [index, member] of members.entries()) {
      const sizeBytes = described[index]?.sizeBytes ?? 0;
      append(encodePackHeader({ name: member.name, sizeBytes }));
      for (const piece of context.files.readChunks(member.path)) append(piece);
      append(Buffer.alloc(tarPadding(sizeBytes)));
    }
    append(Buffer.alloc(2 * tarBlockBytes));
    file.sync();
    return { sizeBytes: at };
  } catch (error) {
    context.files.remove(target);
    throw error;
  } finally {
    file.close();
  }
}

/**
 * Takes a pack in. Everything is unpacked into a staging directory under names of our own and checked there: digests,
 * seals, disk headers. Only then does it move in, root first. What is here already is not taken twice.
 */
export async function unpackSnapshot(
  context: SandboxContext,
  source: string,
  name: ObjectName | undefined,
): Promise<ReadySnapshot> {
  const staging = stagingPath(context, "unpack");
  context.files.makeFolder(staging, { mode: 0o700 });
  const archive = openDataFile(source, "read");
  try {
    const { chain, end } = readHeader(context, archive);
    const staged = (kind: string, id: string) => join(staging, `${kind}-${id}`);
    unpackMembers(archive, end, chain, {
      memory: (link) => staged("memory", link.id),
      deviceState: (link) => staged("device-state", link.id),
      layer: (layer) => staged("layer", layer.id),
    });
    for (const link of chain) await checkStaged(context, link, staged);
    return await withLock(context, snapshotsLock, async () => moveIn(context, chain, staged, name));
  } finally {
    archive.close();
    context.files.removeTree(staging);
  }
}

interface Places {
  memory(link: ReadySnapshot): string;
  deviceState(link: ReadySnapshot): string;
  layer(layer: DiskLayerRef): string;
}

function planMembers(chain: readonly ReadySnapshot[], places: Places): Member[] {
  const layers = new Map<string, DiskLayerRef>();
  const members: Member[] = [];
  for (const link of chain) {
    members.push({ name: `${link.id}/memory.diff`, path: places.memory(link) });
    members.push({ name: `${link.id}/device-state`, path: places.deviceState(link) });
    for (const layer of link.disk) layers.set(layer.id, layer);
  }
  for (const layer of layers.values())
    members.push({ name: `disks/${layer.id}.${layer.kind}`, path: places.layer(layer) });
  return members;
}

type PackMembers = z.infer<typeof packHeader>["members"];

function readHeader(context: SandboxContext, archive: DataFile) {
  const block = Buffer.alloc(tarBlockBytes);
  archive.read(0, block);
  const first = parsePackHeader(block);
  if (first?.name !== "pack.json" || first.sizeBytes > maxRecordBytes)
    throw damaged("it does not begin with pack.json");
  const bytes = Buffer.alloc(first.sizeBytes);
  archive.read(tarBlockBytes, bytes);
  let header: z.infer<typeof packHeader>;
  try {
    header = packHeader.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new KeyframeError(
      "damaged",
      "not a Keyframe pack of a version that this program knows: pack.json",
      { cause },
    );
  }
  const chain = header.snapshots.map((each) => mustBeReady(context, parseSnapshotRecord(each, "pack.json")));
  checkTakenChain(chain);
  return {
    chain,
    end: { offset: tarBlockBytes + first.sizeBytes + tarPadding(first.sizeBytes), members: header.members },
  };
}

function unpackMembers(
  archive: DataFile,
  from: { readonly offset: number; readonly members: PackMembers },
  chain: readonly ReadySnapshot[],
  places: Places,
): void {
  const expected = planMembers(chain, places);
  if (expected.length !== from.members.length)
    throw damaged("it declares other members than its snapshots have");
  let at = from.offset;
  const block = Buffer.alloc(tarBlockBytes);
  for (const [index, { name, path }] of expected.entries()) {
    archive.read(at, block);
    const member = parsePackHeader(block);
    const declared = from.members[index];
    if (member === undefined || declared?.name !== name || member.name !== name)
      throw damaged(`${name} is not where it should be`);
    if (member.sizeBytes !== declared.sizeBytes || member.sizeBytes > diskBytes.most)
      throw damaged(`${name} has another size than declared`);
    copyMember(archive, at + tarBlockBytes, member.sizeBytes, { name, path, sha256: declared.sha256 });
    at += tarBlockBytes + member.sizeBytes + tarPadding(member.sizeBytes);
  }
  archive.read(at, block);
  if (parsePackHeader(block) !== undefined) throw damaged("it has a member that it does not declare");
}

function copyMember(
  archive: DataFile,
  offset: number,
  sizeBytes: number,
  to: { readonly name: string; readonly path: string; readonly sha256: string },
): void {
  const target = openDataFile(to.path, "create");
  const hash = createHash("sha256");
  const room = Buffer.allocUnsafe(1024 * 1024);
  try {
    for (let done = 0; done < sizeBytes; ) {
      const piece = room.subarray(0, Math.min(room.length, sizeBytes - done));
      archive.read(offset + done, piece);
      hash.update(piece);
      target.write(done, piece);
      done += piece.length;
    }
    target.sync();
  } finally {
    target.close();
  }
  if (hash.digest("hex") !== to.sha256) throw damaged(`${to.name} does not match its digest`);
}

function damaged(why: string): KeyframeError {
  return new KeyframeError("damaged", `the pack was refused: ${why}`);
}
