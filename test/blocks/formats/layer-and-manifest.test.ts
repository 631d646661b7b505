// Covers src/blocks/formats/**.
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyframeError } from "../../../src/base/errors.ts";
import { type BlockRun, toExtentMap, zeroLayer } from "../../../src/blocks/formats/extent-map.ts";
import {
  codecs,
  encodeLayerHeader,
  encodeLayerIndex,
  findFrame,
  type LayerFrame,
  type LayerHeader,
  parseLayerHeader,
  parseLayerIndex,
} from "../../../src/blocks/formats/layer-format.ts";
import { encodeManifest, type Manifest, parseManifest } from "../../../src/blocks/formats/manifest-format.ts";
import { encodeNameRecord, parseNameRecord } from "../../../src/blocks/formats/name-record.ts";
import { sha256Bytes } from "../../../src/blocks/formats/sha256.ts";
import { type ImageId, type LayerId, parseImageName } from "../../../src/blocks/ids.ts";

const blockSizeBytes = 4096;
const hex = (byte: number) => byte.toString(16).padStart(2, "0").repeat(32);

/** A layer with frames of 16, 4 (compressed), 16 (shared with the first) and 1 blocks. */
function sampleLayer(): { header: LayerHeader; frames: LayerFrame[]; runs: BlockRun[]; index: Buffer } {
  const digest = (seed: number) => Buffer.alloc(32, seed);
  const frame = (
    packedBlock: number,
    blockCount: number,
    storedOffsetBytes: number,
    storedBytes: number,
    seed: number,
  ): LayerFrame => ({
    packedBlock,
    blockCount,
    storedOffsetBytes,
    storedBytes,
    codec: storedBytes < blockCount * blockSizeBytes ? codecs.zstd : codecs.raw,
    digest: digest(seed),
  });
  const frames = [
    frame(0, 16, 128, 65_536, 1),
    frame(16, 4, 65_664, 100, 2),
    frame(20, 16, 128, 65_536, 1),
    frame(36, 1, 65_764, 50, 3),
  ];
  const runs = [
    { startBlock: 0, blockCount: 20, layer: 0, packedBlock: 0 },
    { startBlock: 30, blockCount: 5, layer: zeroLayer, packedBlock: 0 },
    { startBlock: 35, blockCount: 17, layer: 0, packedBlock: 20 },
  ];
  const index = encodeLayerIndex(frames, runs);
  const header = {
    blockSizeBytes,
    objectBytes: 65_814 + index.length,
    indexOffsetBytes: 65_814,
    indexBytes: index.length,
    frameCount: frames.length,
    runCount: runs.length,
    packedBlocks: 37,
    indexDigest: sha256Bytes(index),
  };
  return { header, frames, runs, index };
}

function sampleManifest(): Manifest {
  const runs = [
    { startBlock: 0, blockCount: 3, layer: 1, packedBlock: 5 },
    { startBlock: 3, blockCount: 7, layer: zeroLayer, packedBlock: 0 },
    { startBlock: 10, blockCount: 1, layer: 0, packedBlock: 0 },
  ];
  return {
    sizeBytes: 10 * blockSizeBytes + 17,
    blockSizeBytes,
    layers: [
      { id: hex(1) as LayerId, objectBytes: 5_000_000_000, packedBlocks: 1 },
      { id: hex(2) as LayerId, objectBytes: 4000, packedBlocks: 8 },
    ],
    map: toExtentMap(runs, 11),
    ancestors: [hex(3) as ImageId, hex(4) as ImageId],
    labels: { kind: "disk", a: "é" },
  };
}

test("a layer's header and index come back as they were written", () => {
  const { header, frames, runs, index } = sampleLayer();
  const parsed = parseLayerHeader(encodeLayerHeader(header));
  expect(parsed).toEqual(header);
  const parsedIndex = parseLayerIndex(parsed, index);
  expect(parsedIndex.frames).toEqual(frames);
  expect(parsedIndex.runs).toEqual(runs);
  expect(encodeLayerIndex(parsedIndex.frames, parsedIndex.runs)).toEqual(index);
});

test("the frame of a packed block is found at every boundary", () => {
  const { header, index, frames } = sampleLayer();
  const parsed = parseLayerIndex(header, index);
  for (let block = 0; block < header.packedBlocks; block += 1) {
    const walked = frames.findIndex((frame) => block < frame.packedBlock + frame.blockCount);
    expect(findFrame(parsed, block)).toBe(walked);
  }
});

test("any change of one byte of a layer's header or index is noticed", () => {
  const { header, index } = sampleLayer();
  const headerBytes = encodeLayerHeader(header);
  for (let at = 0; at < headerBytes.length; at += 1) {
    const bytes = Buffer.from(headerBytes);
    bytes[at] = (bytes[at] ?? 0) ^ 0x40;
    expect(() => parseLayerHeader(bytes)).toThrow(KeyframeError);
  }
  for (let at = 0; at < index.length; at += 1) {
    const bytes = Buffer.from(index);
    bytes[at] = (bytes[at] ?? 0) ^ 0x40;
    expect(() => parseLayerIndex(header, bytes)).toThrow(expect.objectContaining({ code: "damaged" }));
  }
});

test.each<
  [
    string,
    (layer: ReturnType<typeof sampleLayer>) => {
      frames?: LayerFrame[];
      runs?: BlockRun[];
      header?: Partial<LayerHeader>;
    },
  ]
>([
  [
    "a frame that overlaps another in storage",
    ({ frames }) => ({
      frames: frames.map((frame, i) => (i === 1 ? { ...frame, storedOffsetBytes: 65_000 } : frame)),
    }),
  ],
  [
    "a gap between stored frames",
    ({ frames }) => ({
      frames: frames.map((frame, i) => (i === 3 ? { ...frame, storedOffsetBytes: 65_765 } : frame)),
    }),
  ],
  [
    "a raw frame of another length",
    ({ frames }) => ({
      frames: frames.map((frame, i) => (i === 1 ? { ...frame, codec: codecs.raw } : frame)),
    }),
  ],
  [
    "a shared frame with another digest",
    ({ frames }) => ({
      frames: frames.map((frame, i) => (i === 2 ? { ...frame, digest: Buffer.alloc(32, 9) } : frame)),
    }),
  ],
  [
    "a frame out of order",
    ({ frames }) => ({ frames: frames.map((frame, i) => (i === 2 ? { ...frame, packedBlock: 21 } : frame)) }),
  ],
  [
    "an unknown codec",
    ({ frames }) => ({ frames: frames.map((frame, i) => (i === 1 ? { ...frame, codec: 2 as 1 } : frame)) }),
  ],
  [
    "runs that overlap",
    ({ runs }) => ({ runs: runs.map((run, i) => (i === 1 ? { ...run, startBlock: 19 } : run)) }),
  ],
  [
    "runs that skip packed blocks",
    ({ runs }) => ({ runs: runs.map((run, i) => (i === 2 ? { ...run, packedBlock: 21 } : run)) }),
  ],
  ["fewer blocks than its header says", () => ({ header: { packedBlocks: 38 } })],
])("an index with the right digest but %s is refused", (_, change) => {
  const layer = sampleLayer();
  const changed = change(layer);
  const index = encodeLayerIndex(changed.frames ?? layer.frames, changed.runs ?? layer.runs);
  const header = { ...layer.header, ...changed.header, indexDigest: sha256Bytes(index) };
  expect(() => parseLayerIndex(header, index)).toThrow(expect.objectContaining({ code: "damaged" }));
});

test("a manifest comes back as it was written", () => {
  const manifest = sampleManifest();
  expect(parseManifest(encodeManifest(manifest))).toEqual(manifest);
  const empty = { ...manifest, sizeBytes: 0, layers: [], map: toExtentMap([], 0), ancestors: [], labels: {} };
  expect(parseManifest(encodeManifest(empty))).toEqual(empty);
});

test("any change of one byte of a manifest is noticed", () => {
  const good = encodeManifest(sampleManifest());
  for (let at = 0; at < good.length; at += 1) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const bytes = Buffer.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ flip;
      expect(() => parseManifest(bytes)).toThrow(KeyframeError);
    }
  }
  for (let length = 0; length < good.length; length += 1) {
    expect(() => parseManifest(good.subarray(0, length))).toThrow(KeyframeError);
  }
  expect(() => parseManifest(Buffer.concat([good, Buffer.alloc(1)]))).toThrow(KeyframeError);
});

test("a hostile manifest with a right checksum gives a manifest or our error, never a crash", () => {
  const good = encodeManifest(sampleManifest());
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 5), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(40),
      (edits, cut) => {
        const bytes = Buffer.from(good.subarray(0, good.length - cut));
        for (const [at, value] of edits) if (at < bytes.length - 4) bytes[at] = value;
        bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
        try {
          const { map } = parseManifest(bytes);
          expect(map.starts.length).toBeLessThanOrEqual(bytes.length / 12);
        } catch (error) {
          expect(error).toBeInstanceOf(KeyframeError);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test.each<[string, number, number]>([
  ["extents", 28, 0xffff_ffff],
  ["layers", 24, 0xffff_ffff],
  ["ancestors", 32, 0xffff_ffff],
  ["labels", 36, 0xffff_ffff],
])("a manifest that claims 4 billion %s is refused before anything is allocated", (_, at, count) => {
  const bytes = encodeManifest(sampleManifest());
  bytes.writeUInt32LE(count, at);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: "damaged" }));
});

test("a writer refuses the manifest that a reader would refuse", () => {
  const manifest = sampleManifest();
  const ancestors = Array.from({ length: 1025 }, () => hex(5) as ImageId);
  expect(() => encodeManifest({ ...manifest, ancestors })).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
  const labels = { long: "x".repeat(70_000) };
  expect(() => encodeManifest({ ...manifest, labels })).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
  const [layer] = manifest.layers;
  if (layer === undefined) throw new Error("the sample has layers");
  const layers = Array.from({ length: 65_537 }, () => layer);
  expect(() => encodeManifest({ ...manifest, layers })).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
  expect(() => encodeManifest({ ...manifest, blockSizeBytes: 1000 })).toThrow(
    expect.objectContaining({ code: "invalid-input" }),
  );
});

test("a name's record holds for this name only, and every changed byte is noticed", () => {
  const name = parseImageName("team/base");
  const id = hex(7) as ImageId;
  const record = encodeNameRecord(name, id);
  expect(parseNameRecord(name, record)).toBe(id);
  expect(() => parseNameRecord(parseImageName("team/other"), record)).toThrow(
    expect.objectContaining({ code: "damaged" }),
  );
  for (let at = 0; at < record.length; at += 1) {
    const bytes = Buffer.from(record);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    expect(() => parseNameRecord(name, bytes)).toThrow(expect.objectContaining({ code: "damaged" }));
  }
});

test.each([
  "",
  "../x",
  "a/../b",
  "/a",
  "a//b",
  ".a",
  "a b",
  "deadbeef",
  "a".repeat(91),
  "é",
  "a/b/c/d/e/f/g/h/i",
])("%j is no name of an image", (text) => {
  expect(() => parseImageName(text)).toThrow(expect.objectContaining({ code: "invalid-input" }));
});
