import { createHash, hash } from "node:crypto";
import { KeyframeError } from "../../base/errors.ts";
import { type PageRun, pageBytes } from "./page-runs.ts";

// The pages in which one memory image differs from another (docs/formats/memory-diff.md), little-endian:
//
//   offset  size  field
//   0       8     magic "KFMEMD01"
//   8       4     bytes of a page: 4096
//   12      4     runs
//   16      8     bytes of guest memory
//   24      4     data pages
//   28      4     zero pages
//   32      32    SHA-256 of the run table
//   64      48*n  run table, by page number
//   then          zeros up to a multiple of 4096, then the data pages, packed. What follows them means nothing.
//
// A run:
//   0       4     first page
//   4       4     pages; at most 256 in a data run
//   8       4     0 zero pages, 1 data pages
//   12      4     data runs: number of data pages before it
//   16      32    data runs: SHA-256 of the run's pages; else zeros

export interface DiffRun extends PageRun {
  readonly kind: "zero" | "data";
  /** Data pages before this run. */
  readonly dataPage: number;
  /** SHA-256 of the run's pages, hex; empty for zero runs. */
  readonly digest: string;
}

export interface MemoryDiffTable {
  readonly memoryBytes: number;
  readonly runs: readonly DiffRun[];
}

export interface MemoryDiffHeader {
  readonly memoryBytes: number;
  readonly runCount: number;
  readonly dataPages: number;
  readonly zeroPages: number;
  readonly tableDigest: string;
}

export const memoryDiffHeaderBytes = 64;
export const maxDataRunPages = 256;

const runBytes = 48;
const magic = "KFMEMD01";

export function memoryDiffTableBytes(runCount: number): number {
  return runCount * runBytes;
}

/** Where the first data page is. */
export function memoryDiffDataOffset(runCount: number): number {
  return Math.ceil((memoryDiffHeaderBytes + runCount * runBytes) / pageBytes) * pageBytes;
}

/** Header and table, padded to where the data starts. */
export function encodeMemoryDiffTable(table: MemoryDiffTable): {
  readonly bytes: Buffer;
  readonly digest: string;
} {
  const { runs } = table;
  const bytes = Buffer.alloc(memoryDiffDataOffset(runs.length));
  let dataPages = 0;
  let zeroPages = 0;
  for (const [index, run] of runs.entries()) {
    const at = memoryDiffHeaderBytes + index * runBytes;
    bytes.writeUInt32LE(run.firstPage, at);
    bytes.writeUInt32LE(run.pageCount, at + 4);
    bytes.writeUInt32LE(run.kind === "data" ? 1 : 0, at + 8);
    bytes.writeUInt32LE(run.dataPage, at + 12);
    bytes.write(run.digest, at + 16, "hex");
    if (run.kind === "data") dataPages += run.pageCount;
    else zeroPages += run.pageCount;
  }
  const end = memoryDiffHeaderBytes + runs.length * runBytes;
  const digest = createHash("sha256").update(bytes.subarray(memoryDiffHeaderBytes, end)).digest();
  bytes.write(magic, 0, "latin1");
  bytes.writeUInt32LE(pageBytes, 8);
  bytes.writeUInt32LE(runs.length, 12);
  bytes.writeBigUInt64LE(BigInt(table.memoryBytes), 16);
  bytes.writeUInt32LE(dataPages, 24);
  bytes.writeUInt32LE(zeroPages, 28);
  digest.copy(bytes, 32);
  return { bytes, digest: digest.toString("hex") };
}

/** `damaged`, with `what` named, for anything that this program cannot have written. */
export function parseMemoryDiffHeader(bytes: Buffer, what: string): MemoryDiffHeader {
  if (bytes.length < memoryDiffHeaderBytes) throw damaged(what, "it is too short");
  if (bytes.toString("latin1", 0, 6) !== magic.slice(0, 6)) throw damaged(what, "it is not a memory diff");
  if (bytes.toString("latin1", 6, 8) !== magic.slice(6))
    throw damaged(what, "it has a version that this program does not know");
  if (bytes.readUInt32LE(8) !== pageBytes)
    throw damaged(what, `its pages have ${bytes.readUInt32LE(8)} bytes`);
  const header = {
    memoryBytes: Number(bytes.readBigUInt64LE(16)),
    runCount: bytes.readUInt32LE(12),
    dataPages: bytes.readUInt32LE(24),
    zeroPages: bytes.readUInt32LE(28),
    tableDigest: bytes.toString("hex", 32, 64),
  };
  const pages = header.memoryBytes / pageBytes;
  if (!Number.isSafeInteger(pages) || pages > 0xffffffff || header.runCount > pages) {
    throw damaged(what, "its sizes are not possible");
  }
  return header;
}

/** `table` is what follows the header. Checks its digest, its order and its bounds. */
export function parseMemoryDiffTable(header: MemoryDiffHeader, table: Buffer, what: string): MemoryDiffTable {
  const bytes = table.subarray(0, header.runCount * runBytes);
  if (hash("sha256", bytes, "hex") !== header.tableDigest)
    throw damaged(what, "its run table does not match its digest");
  const pages = header.memoryBytes / pageBytes;
  const runs: DiffRun[] = [];
  let nextPage = 0;
  let dataPages = 0;
  for (let index = 0; index < header.runCount; index += 1) {
    const at = index * runBytes;
    const firstPage = bytes.readUInt32LE(at);
    const pageCount = bytes.readUInt32LE(at + 4);
    const kind = bytes.readUInt32LE(at + 8) === 1 ? "data" : "zero";
    const dataPage = bytes.readUInt32LE(at + 12);
    if (firstPage < nextPage || pageCount === 0 || firstPage + pageCount > pages) {
      throw damaged(what, `run ${index} is out of order or out of bounds`);
    }
    if (kind === "data" && (dataPage !== dataPages || pageCount > maxDataRunPages)) {
      throw damaged(what, `run ${index} does not follow the one before`);
    }
    nextPage = firstPage + pageCount;
    if (kind === "data") dataPages += pageCount;
    runs.push({
      firstPage,
      pageCount,
      kind,
      dataPage,
      digest: kind === "data" ? bytes.toString("hex", at + 16, at + 48) : "",
    });
  }
  if (dataPages !== header.dataPages) throw damaged(what, "it does not hold the pages that it declares");
  return { memoryBytes: header.memoryBytes, runs };
}

function damaged(what: string, why: string): KeyframeError {
  return new KeyframeError("damaged", `${what} is damaged: ${why}`, {
    hint: "`keyframe snapshot verify` lists everything that is affected",
  });
}
