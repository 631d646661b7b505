import { crc32 } from "node:zlib";
import { tarChecksum, tarPadding } from "../../src/base/ustar.ts";
import { runsBetween } from "../../src/blocks/formats/extent-map.ts";
import {
  codecs,
  encodeLayerHeader,
  encodeLayerIndex,
  findFrame,
  type LayerFrame,
  type LayerHeader,
  layerHeaderBytes,
  parseLayerHeader,
  parseLayerIndex,
} from "../../src/blocks/formats/layer-format.ts";
import { encodeManifest, parseManifest } from "../../src/blocks/formats/manifest-format.ts";
import { sha256Bytes } from "../../src/blocks/formats/sha256.ts";
import { encodeTarHeader } from "../../src/blocks/formats/tar-header.ts";
import type { ImageId, LayerId } from "../../src/blocks/ids.ts";
import { openPackStore } from "../../src/blocks/stores/pack-store.ts";
import { flattenLayers } from "../../src/sandbox/image/flatten-layers.ts";
import type { SparseFile } from "../../src/system/files/sparse-file.ts";
import { tarOf } from "../support/tar-of.ts";
import { damagedCopy, mutate, odd, tolerant } from "./mutate.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";

interface Options {
  readonly runs: number;
  readonly seed: number;
}

const blockSizeBytes = 4096;
const hex = (digit: number) => String(digit).repeat(64);
const manifest = encodeManifest({
  sizeBytes: 10 * blockSizeBytes + 17,
  blockSizeBytes,
  layers: [
    { id: hex(1) as LayerId, objectBytes: 5_000_000, packedBlocks: 1 },
    { id: hex(2) as LayerId, objectBytes: 4000, packedBlocks: 8 },
  ],
  map: {
    blockCount: 11,
    starts: Uint32Array.of(0, 4, 10),
    layers: Uint32Array.of(1, 0xffff_ffff, 0),
    packed: Uint32Array.of(0, 0, 0),
  },
  ancestors: [hex(3) as ImageId],
  labels: { kind: "disk" },
});

/** Manifests, their checksum right again: refused, or every block of the image is somewhere. */
export async function fuzzManifests({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  for (let run = 0; run < runs; run += 1) {
    const bytes = damagedCopy(manifest, random);
    if (bytes.length >= 48) bytes.writeBigUInt64LE(BigInt(bytes.length), 40);
    if (bytes.length >= 4) bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
    await tolerant(() => {
      const { map, layers } = parseManifest(bytes);
      for (const run of runsBetween(map, 0, Math.min(map.blockCount, 10_000)))
        if (run.layer !== 0xffff_ffff && layers[run.layer] === undefined)
          throw new Error("an extent names a layer that is not there");
    });
  }
  return runs;
}

const frames: LayerFrame[] = [0, 1, 2].map((at) => ({
  packedBlock: at * 4,
  blockCount: 4,
  storedOffsetBytes: layerHeaderBytes + at * 1000,
  storedBytes: 1000,
  codec: codecs.zstd,
  digest: Buffer.alloc(32, at),
}));
const index = encodeLayerIndex(frames, [
  { startBlock: 0, blockCount: 8, layer: 0, packedBlock: 0 },
  { startBlock: 20, blockCount: 4, layer: 0, packedBlock: 8 },
]);

/** Layers, their checksum and digest right again: refused, or every packed block has a frame. */
export async function fuzzLayers({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  for (let run = 0; run < runs; run += 1) {
    const hostile = random.below(2) === 0 ? damagedCopy(index, random) : index;
    const indexOffsetBytes = layerHeaderBytes + 3000;
    const header: LayerHeader = {
      blockSizeBytes,
      objectBytes: indexOffsetBytes + hostile.length,
      indexOffsetBytes,
      indexBytes: hostile.length,
      frameCount: random.below(4) === 0 ? random.pick(odd) : 3,
      runCount: random.below(4) === 0 ? random.pick(odd) : 2,
      packedBlocks: random.below(4) === 0 ? random.pick(odd) : 12,
      indexDigest: sha256Bytes(hostile),
    };
    const bytes =
      random.below(2) === 0 ? damagedCopy(encodeLayerHeader(header), random) : encodeLayerHeader(header);
    if (bytes.length >= 128) bytes.writeUInt32LE(crc32(bytes.subarray(0, 124)), 124);
    await tolerant(() => {
      const parsed = parseLayerIndex(parseLayerHeader(bytes), hostile);
      for (let block = 0; block < Math.min(parsed.header.packedBlocks, 1000); block += 1)
        if (parsed.frames[findFrame(parsed, block)] === undefined) throw new Error("a block has no frame");
    });
  }
  return runs;
}

const packed = [`images/${hex(1)}`, `layers/${hex(2)}`, "names/a"].map((name) => ({
  name,
  content: Buffer.alloc(600, 1),
}));
const pack = Buffer.concat([
  ...packed.flatMap(({ name, content }) => [
    encodeTarHeader({ name, sizeBytes: content.length }),
    content,
    Buffer.alloc(tarPadding(content.length)),
  ]),
  Buffer.alloc(1024),
]);

/** Packs: what is in one is reached by keys of objects alone, and each lies in the file. */
export async function fuzzPacks({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  const signal = new AbortController().signal;
  for (let run = 0; run < runs; run += 1) {
    const bytes = withTarSums(mutate(pack, tarWords, random), random);
    await tolerant(async () => {
      const store = await openPackStore(fileOf(bytes));
      for await (const { key, sizeBytes } of store.list("", signal)) {
        let read = 0;
        for await (const piece of store.read(key, undefined, signal)) read += piece.length;
        if (read !== sizeBytes) throw new Error(`${key} has ${read} bytes of ${sizeBytes}`);
      }
    });
  }
  return runs;
}

/** A file in memory; only what reading needs. */
function fileOf(bytes: Buffer): SparseFile {
  const readSync = (into: Uint8Array, offsetBytes: number) =>
    bytes.copy(
      into,
      0,
      Math.min(offsetBytes, bytes.length),
      Math.min(offsetBytes + into.length, bytes.length),
    );
  const never = () => {
    throw new Error("a pack is only read");
  };
  return {
    path: "a.pack",
    sizeBytes: () => bytes.length,
    allocatedBytes: () => bytes.length,
    readSync,
    read: (into, offsetBytes) => Promise.resolve(readSync(into, offsetBytes)),
    writeSync: never,
    write: never,
    truncate: never,
    syncData: never,
    syncDataSync: never,
    preallocate: never,
    punchHole: never,
    dataRuns: never,
    tryLock: never,
    close: () => Promise.resolve(),
    closeSync: () => undefined,
  };
}

const tarWords = [
  "../",
  "/",
  "\0",
  "77777777777",
  "\x80\xff\xff\xff",
  "./x/../../y",
  "ustar",
  "-1",
  ".wh..wh..opq",
];

/** Right checksums where blocks look like headers, so that what they say is reached. */
function withTarSums(bytes: Buffer, random: SeededRandom): Buffer {
  if (random.below(5) === 0) return bytes;
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (!block.includes("ustar")) continue;
    block.write(`${tarChecksum(block).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return bytes;
}

const layerTar = tarOf([
  { path: "etc", kind: "folder" },
  { path: "etc/passwd", content: "root" },
  { path: "link", kind: "symlink", linkTarget: "etc" },
  { path: "link/x", content: "through" },
  { path: "hard", kind: "hardlink", linkTarget: "etc/passwd" },
  { path: "etc/.wh.gone" },
  { path: "dev", kind: "character", major: 1, minor: 3 },
]);

/** Layers of images as tars: every name of what comes out lies inside, once. */
export async function fuzzTars({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  for (let run = 0; run < runs; run += 1) {
    const tars = [layerTar, withTarSums(mutate(layerTar, tarWords, random), random)];
    await tolerant(async () => {
      const flat = await flattenLayers(
        tars.map((bytes) => ({ deletes: true, open: () => inPieces(bytes, random) })),
      );
      for await (const piece of flat.tar())
        if (piece.length > 2 ** 26) throw new Error("a piece of 64 MB of a tar of some KB");
    });
  }
  return runs;
}

async function* inPieces(bytes: Buffer, random: SeededRandom): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(3000);
    yield bytes.subarray(at, end);
    at = end;
  }
}
