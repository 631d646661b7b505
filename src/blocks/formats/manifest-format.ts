import { crc32 } from "node:zlib";
import { KeyframeError } from "../../base/errors.ts";
import { type ImageId, type LayerId, parseImageId, parseLayerId } from "../ids.ts";
import { maxAncestors, maxBlocks, maxLabelsBytes, maxManifestBytes, maxManifestLayers } from "../limits.ts";
import { type ExtentMap, zeroLayer } from "./extent-map.ts";
import { checkBlockSize } from "./layer-format.ts";
import { sha256Bytes } from "./sha256.ts";

// docs/formats/manifest.md. All numbers are little-endian.
//
// header   0  8 magic "KFIMAGE\0"     then   extents times 4: first block of each run, ascending from 0
//          8  2 version                      extents times 4: layer of each run, 0xffffffff for zeros
//         10  2 header length, 64            extents times 4: packed block of each run in its layer
//         12  4 block size                   layers times 48: id 32, object length 8, packed blocks 4, zero 4
//         16  8 image size in bytes          ancestors times 32: image ids, nearest first
//         24  4 layers                       labels: JSON object of strings, keys ascending
//         28  4 extents                      4: CRC-32 of all bytes before
//         32  4 ancestors
//         36  4 length of the labels
//         40  8 length of the manifest
//         48 16 zero

const manifestHeaderBytes = 64;
const magic = Buffer.from("KFIMAGE\0", "latin1");
const version = 1;
const layerEntryBytes = 48;

/** A layer object as a manifest names it. */
export interface LayerRef {
  readonly id: LayerId;
  readonly objectBytes: number;
  readonly packedBlocks: number;
}

export interface Manifest {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly layers: readonly LayerRef[];
  readonly map: ExtentMap;
  /** Images that this one was made from, nearest first. */
  readonly ancestors: readonly ImageId[];
  readonly labels: Readonly<Record<string, string>>;
}

export function imageIdOf(manifest: Uint8Array): ImageId {
  return sha256Bytes(manifest).toString("hex") as ImageId;
}

/** Blocks of an image, the last partial one included. */
export function blockCountOf(image: { readonly sizeBytes: number; readonly blockSizeBytes: number }): number {
  return Math.ceil(image.sizeBytes / image.blockSizeBytes);
}

/** Throws `too-large` for what `parseManifest` would refuse. */
export function encodeManifest(manifest: Manifest): Buffer {
  const labels = encodeLabels(manifest.labels);
  const { starts, layers, packed } = manifest.map;
  const counts = {
    layers: manifest.layers.length,
    extents: starts.length,
    ancestors: manifest.ancestors.length,
    labelsBytes: labels.length,
  };
  const totalBytes = manifestLength(counts);
  checkCounts(counts, totalBytes, (what) => {
    throw new KeyframeError("too-large", `the manifest would have ${what}`, {
      hint: "flatten the image first",
    });
  });
  checkGeometry(manifest.sizeBytes, manifest.blockSizeBytes);
  const bytes = Buffer.alloc(totalBytes);
  magic.copy(bytes);
  bytes.writeUInt16LE(version, 8);
  bytes.writeUInt16LE(manifestHeaderBytes, 10);
  bytes.writeUInt32LE(manifest.blockSizeBytes, 12);
  bytes.writeBigUInt64LE(BigInt(manifest.sizeBytes), 16);
  bytes.writeUInt32LE(counts.layers, 24);
  bytes.writeUInt32LE(counts.extents, 28);
  bytes.writeUInt32LE(counts.ancestors, 32);
  bytes.writeUInt32LE(counts.labelsBytes, 36);
  bytes.writeBigUInt64LE(BigInt(totalBytes), 40);
  let at = manifestHeaderBytes;
  for (const column of [starts, layers, packed]) at = writeColumn(bytes, column, at);
  for (const layer of manifest.layers) {
    bytes.write(layer.id, at, "hex");
    bytes.writeBigUInt64LE(BigInt(layer.objectBytes), at + 32);
    bytes.writeUInt32LE(layer.packedBlocks, at + 40);
    at += layerEntryBytes;
  }
  for (const ancestor of manifest.ancestors) at += bytes.write(ancestor, at, "hex");
  at += labels.copy(bytes, at);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, at)), at);
  return bytes;
}

/** Throws `damaged` for bytes that are no manifest, before it allocates what a hostile header asks for. */
export function parseManifest(bytes: Buffer): Manifest {
  if (bytes.length < manifestHeaderBytes + 4 || !bytes.subarray(0, 8).equals(magic))
    damaged("it does not start like a manifest");
  if (bytes.readUInt32LE(bytes.length - 4) !== crc32(bytes.subarray(0, -4))) damaged("its checksum is wrong");
  if (bytes.readUInt16LE(8) !== version) {
    throw new KeyframeError("invalid-input", `manifest format ${bytes.readUInt16LE(8)} is not known`, {
      hint: "a newer Keyframe wrote it: update this one",
    });
  }
  const counts = {
    layers: bytes.readUInt32LE(24),
    extents: bytes.readUInt32LE(28),
    ancestors: bytes.readUInt32LE(32),
    labelsBytes: bytes.readUInt32LE(36),
  };
  checkCounts(counts, bytes.length, (what) => damaged(`it has ${what}`));
  if (
    manifestLength(counts) !== bytes.length ||
    bytes.readBigUInt64LE(40) !== BigInt(bytes.length) ||
    bytes.readUInt16LE(10) !== manifestHeaderBytes ||
    bytes.subarray(48, 64).some((byte) => byte !== 0)
  ) {
    damaged("the lengths in its header contradict each other");
  }
  const sizeBytes = Number(bytes.readBigUInt64LE(16));
  const blockSizeBytes = bytes.readUInt32LE(12);
  checkGeometry(sizeBytes, blockSizeBytes);
  const columnsEnd = manifestHeaderBytes + counts.extents * 12;
  const layersEnd = columnsEnd + counts.layers * layerEntryBytes;
  const ancestorsEnd = layersEnd + counts.ancestors * 32;
  const layers = parseLayers(bytes.subarray(columnsEnd, layersEnd));
  const map = parseMap(
    bytes.subarray(manifestHeaderBytes, columnsEnd),
    blockCountOf({ sizeBytes, blockSizeBytes }),
  );
  checkMap(map, layers);
  return {
    sizeBytes,
    blockSizeBytes,
    layers,
    map,
    ancestors: parseAncestors(bytes.subarray(layersEnd, ancestorsEnd)),
    labels: parseLabels(bytes.subarray(ancestorsEnd, bytes.length - 4)),
  };
}

interface Counts {
  readonly layers: number;
  readonly extents: number;
  readonly ancestors: number;
  readonly labelsBytes: number;
}

function manifestLength(counts: Counts): number {
  return (
    manifestHeaderBytes +
    counts.extents * 12 +
    counts.layers * layerEntryBytes +
    counts.ancestors * 32 +
    counts.labelsBytes +
    4
  );
}

function checkCounts(counts: Counts, totalBytes: number, refuse: (what: string) => never): void {
  if (counts.layers > maxManifestLayers) refuse(`${counts.layers} layers`);
  if (counts.ancestors > maxAncestors) refuse(`${counts.ancestors} ancestors`);
  if (counts.labelsBytes > maxLabelsBytes) refuse(`${counts.labelsBytes} bytes of labels`);
  if (totalBytes > maxManifestBytes) refuse(`${totalBytes} bytes`);
}

function checkGeometry(sizeBytes: number, blockSizeBytes: number): void {
  checkBlockSize(blockSizeBytes);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw new KeyframeError("invalid-input", `${sizeBytes} is not the size of an image`);
  if (Math.ceil(sizeBytes / blockSizeBytes) > maxBlocks)
    throw new KeyframeError(
      "too-large",
      `an image of ${sizeBytes} bytes has too many blocks of ${blockSizeBytes} bytes`,
    );
}

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function writeColumn(bytes: Buffer, column: Uint32Array, at: number): number {
  const view = Buffer.from(column.buffer, column.byteOffset, column.byteLength);
  view.copy(bytes, at);
  if (!isLittleEndian) bytes.subarray(at, at + view.length).swap32();
  return at + view.length;
}

function readColumn(bytes: Buffer): Uint32Array {
  const column = new Uint32Array(bytes.length / 4);
  const view = Buffer.from(column.buffer);
  bytes.copy(view);
  if (!isLittleEndian) view.swap32();
  return column;
}

function parseMap(bytes: Buffer, blockCount: number): ExtentMap {
  const third = bytes.length / 3;
  return {
    blockCount,
    starts: readColumn(bytes.subarray(0, third)),
    layers: readColumn(bytes.subarray(third, 2 * third)),
    packed: readColumn(bytes.subarray(2 * third)),
  };
}

function checkMap({ blockCount, starts, layers, packed }: ExtentMap, table: readonly LayerRef[]): void {
  if ((starts.length === 0) !== (blockCount === 0)) damaged("its extents do not cover the image");
  for (let index = 0; index < starts.length; index += 1) {
    const start = starts[index] as number;
    const end = starts[index + 1] ?? blockCount;
    if ((index === 0 && start !== 0) || end <= start || end > blockCount)
      damaged("its extents leave a gap or overlap");
    const layer = layers[index] as number;
    if (layer === zeroLayer) {
      if (packed[index] !== 0) damaged("a run of zeros points into a layer");
      continue;
    }
    const ref = table[layer];
    if (ref === undefined || (packed[index] as number) + (end - start) > ref.packedBlocks)
      damaged("an extent points outside its layer");
  }
}

function parseLayers(bytes: Buffer): LayerRef[] {
  const layers: LayerRef[] = [];
  for (let at = 0; at < bytes.length; at += layerEntryBytes) {
    const objectBytes = Number(bytes.readBigUInt64LE(at + 32));
    if (!Number.isSafeInteger(objectBytes) || bytes.readUInt32LE(at + 44) !== 0)
      damaged("an entry of its layer table is out of range");
    layers.push({
      id: parseLayerId(bytes.toString("hex", at, at + 32)),
      objectBytes,
      packedBlocks: bytes.readUInt32LE(at + 40),
    });
  }
  return layers;
}

function parseAncestors(bytes: Buffer): ImageId[] {
  const ancestors: ImageId[] = [];
  for (let at = 0; at < bytes.length; at += 32)
    ancestors.push(parseImageId(bytes.toString("hex", at, at + 32)));
  return ancestors;
}

function encodeLabels(labels: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify(Object.fromEntries(entries)));
}

function parseLabels(bytes: Buffer): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new KeyframeError("damaged", "the manifest is damaged: its labels are not JSON", { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return damaged("its labels are not an object");
  const labels: Record<string, string> = Object.create(null);
  for (const [key, label] of Object.entries(value)) {
    if (typeof label !== "string") damaged("a label is not text");
    else labels[key] = label;
  }
  return { ...labels };
}

function damaged(what: string): never {
  throw new KeyframeError("damaged", `the manifest is damaged: ${what}`);
}
