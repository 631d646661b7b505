import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { encodePresenceRecord, parsePresenceRecord } from "../../src/blocks/cache/presence-record.ts";
import {
  encodeMapHeader,
  encodeMapRecord,
  mapHeaderBytes,
  parseMapHeader,
  parseMapRecords,
} from "../../src/blocks/overlay/map.ts";
import {
  type DiffRun,
  encodeMemoryDiffTable,
  memoryDiffHeaderBytes,
  memoryDiffTableBytes,
  parseMemoryDiffHeader,
  parseMemoryDiffTable,
} from "../../src/sandbox/memory/diff.ts";
import { pageBytes } from "../../src/sandbox/memory/page-runs.ts";
import { parseSnapshotRecord } from "../../src/sandbox/store/records.ts";
import { damagedCopy, mutate, tolerant } from "./mutate.ts";
import { seededRandom } from "./seeded-random.ts";

// What is kept of a machine, as a store, another user or a guest that got out would have it: sums are right again.

interface Options {
  readonly runs: number;
  readonly seed: number;
}

const digest = (digit: number) => String(digit).repeat(64);
const memoryRuns: DiffRun[] = [
  { kind: "data", firstPage: 0, pageCount: 256, dataPage: 0, digest: digest(1) },
  { kind: "zero", firstPage: 256, pageCount: 40, dataPage: 0, digest: "" },
  { kind: "data", firstPage: 4000, pageCount: 96, dataPage: 256, digest: digest(2) },
];
const memoryTable = encodeMemoryDiffTable({ memoryBytes: 4096 * pageBytes, runs: memoryRuns }).bytes;

/** Tables of memory: refused, or every run lies in the memory and in the file, one behind the other. */
export async function fuzzMemory({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  for (let run = 0; run < runs; run += 1) {
    const bytes = damagedCopy(memoryTable, random);
    if (bytes.length >= memoryDiffHeaderBytes) {
      const length = memoryDiffTableBytes(bytes.readUInt32LE(12));
      const table = bytes.subarray(memoryDiffHeaderBytes, memoryDiffHeaderBytes + length);
      bytes.write(hash("sha256", table, "hex"), 32, "hex");
    }
    await tolerant(() => {
      const header = parseMemoryDiffHeader(bytes, "it");
      if (memoryDiffTableBytes(header.runCount) > bytes.length - memoryDiffHeaderBytes) return; // too short: refused by its size
      const table = parseMemoryDiffTable(header, bytes.subarray(memoryDiffHeaderBytes), "it");
      let [page, dataPage] = [0, 0];
      for (const each of table.runs) {
        const isInside =
          each.firstPage >= page && (each.firstPage + each.pageCount) * pageBytes <= table.memoryBytes;
        if (!isInside || (each.kind === "data" && each.dataPage !== dataPage))
          throw new Error("a run lies elsewhere");
        page = each.firstPage + each.pageCount;
        if (each.kind === "data") dataPage += each.pageCount;
      }
      if (dataPage !== header.dataPages) throw new Error("pages are missing");
    });
  }
  return runs;
}

const mapHeader = { sizeBytes: 1000 * 4096, blockSizeBytes: 4096, parentId: Buffer.alloc(32, 7) };
const mapRecords = [
  encodeMapRecord([{ startBlock: 0, endBlock: 10, state: "data" }]),
  encodeMapRecord([
    { startBlock: 5, endBlock: 7, state: "zero" },
    { startBlock: 990, endBlock: 1000, state: "data" },
  ]),
];

/** Maps of overlays: refused, or every run lies on the disk; what is torn is counted. */
export async function fuzzOverlays({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  for (let run = 0; run < runs; run += 1) {
    const header = damagedCopy(encodeMapHeader(mapHeader), random).subarray(0, mapHeaderBytes);
    if (header.length === mapHeaderBytes) header.writeUInt32LE(crc32(header.subarray(0, 56)), 56);
    const records = mapRecords.map((record) => {
      const bytes = damagedCopy(record, random);
      if (bytes.length >= 8) bytes.writeUInt32LE(crc32(bytes.subarray(8), crc32(bytes.subarray(0, 4))), 4);
      return bytes;
    });
    const bytes = Buffer.concat([header, ...records]);
    await tolerant(() => {
      const { sizeBytes, blockSizeBytes } = parseMapHeader(bytes);
      const sizeBlocks = Math.ceil(sizeBytes / blockSizeBytes);
      const found = parseMapRecords(bytes, sizeBlocks);
      if (found.endBytes + found.tornBytes !== bytes.length) throw new Error("bytes are not accounted for");
      for (const each of found.runs)
        if (each.endBlock > sizeBlocks || each.startBlock > each.endBlock)
          throw new Error("a run is off the disk");
    });
  }
  return runs;
}

const subject = {
  sizeBytes: 5 * 1024 * 1024,
  blockSizeBytes: 4096,
  trackingBytes: 65_536,
  imageId: Buffer.alloc(32, 3),
  dataFileId: Buffer.alloc(16, 4),
};
const presence = encodePresenceRecord({ ...subject, words: Uint32Array.of(0xffff_ffff, 1, 7) });

/** What of an image is in a cache: not believed, or as many bits as the image has parts. */
export async function fuzzCaches({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  for (let run = 0; run < runs; run += 1) {
    const bytes = damagedCopy(presence, random);
    if (bytes.length >= 84) {
      bytes.writeUInt32LE(crc32(bytes.subarray(84)), 28);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 80)), 80);
    }
    await tolerant(() => {
      const words = parsePresenceRecord(bytes, subject);
      if (words !== undefined && words.length !== 3) throw new Error(`${words.length} words of bits`);
    });
  }
  return runs;
}

const snapshot = JSON.stringify({
  format: 1,
  id: "sn-0123456789ab",
  name: "base",
  state: "ready",
  createdAtMs: 1_770_000_000_000,
  sandbox: "sb-0123456789ab",
  parent: { id: "sn-ba9876543210", seal: digest(4) },
  shape: {
    memoryMiB: 512,
    cpus: 1,
    diskBytes: 2 ** 30,
    accelerator: "tcg",
    machine: "microvm",
    processor: "max",
  },
  generation: 3,
  hypervisor: "qemu 7.2.22",
  memory: { memoryBytes: 2 ** 29, tableDigest: digest(5), dataPages: 3, zeroPages: 1, fileBytes: 20_480 },
  deviceState: { sizeBytes: 100_000, sha256: digest(6) },
  disk: [{ id: "dl-0123456789ab", kind: "qcow2", sha256: digest(7) }],
  seal: digest(8),
});
const words = [
  "null",
  "-1",
  "1e999",
  "[]",
  "{}",
  '"../../x"',
  '"__proto__":{}',
  "0.5",
  '"sn-0123456789ab"',
  "9007199254740993",
];

/** Records of snapshots: refused, or of ids that name nothing outside and of numbers that are sizes. */
export async function fuzzSnapshots({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  parseSnapshotRecord(JSON.parse(snapshot), "the record before it is changed");
  for (let run = 0; run < runs; run += 1) {
    const text = mutate(Buffer.from(snapshot), words, random).toString("utf8");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      continue; // refused before it is looked at
    }
    await tolerant(() => {
      const record = parseSnapshotRecord(value, "it");
      const ids = [record.id, record.parent?.id, ...record.disk.map(({ id }) => id)];
      for (const id of ids)
        if (id !== undefined && !/^(sn|dl)-[0-9a-f]{12}$/.test(id)) throw new Error(`the id ${id}`);
      for (const size of [record.memory?.memoryBytes, record.deviceState?.sizeBytes, record.shape.diskBytes])
        if (size !== undefined && !(Number.isSafeInteger(size) && size > 0))
          throw new Error(`the size ${size}`);
    });
  }
  return runs;
}
