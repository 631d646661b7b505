import { hash } from "node:crypto";
import { KeyframeError } from "../../base/errors.ts";
import { type DataFile, openDataFile } from "../../system/files/data-file.ts";
import { nextTurn } from "../../system/turn.ts";
import {
  type DiffRun,
  encodeMemoryDiffTable,
  type MemoryDiffTable,
  maxDataRunPages,
  memoryDiffDataOffset,
  memoryDiffHeaderBytes,
  memoryDiffTableBytes,
  parseMemoryDiffHeader,
  parseMemoryDiffTable,
} from "./diff.ts";
import { isZeroPage, type PageRun, pageBytes, pagesPerTurn } from "./page-runs.ts";

/** Pages to be stored. */
export interface PageSource {
  readonly runs: readonly PageRun[];
  /** `offset` is where the first page would be if the runs lay one after the other, bytes. Valid until the next call. */
  read(firstPage: number, pageCount: number, offset: number): Buffer;
}

/** Pages that were copied out of a machine: `bytes` holds the runs' pages one after the other. */
export function capturedPages(runs: readonly PageRun[], bytes: Buffer): PageSource {
  return {
    runs,
    read: (_firstPage, pageCount, offset) => bytes.subarray(offset, offset + pageCount * pageBytes),
  };
}

/** Pages of a whole image in a file. */
export function imagePages(runs: readonly PageRun[], image: DataFile): PageSource {
  const room = Buffer.allocUnsafe(maxDataRunPages * pageBytes);
  return {
    runs,
    read(firstPage, pageCount) {
      const pages = room.subarray(0, pageCount * pageBytes);
      image.read(firstPage * pageBytes, pages);
      return pages;
    },
  };
}

export interface WrittenDiff {
  readonly tableDigest: string;
  readonly dataPages: number;
  readonly zeroPages: number;
  readonly fileBytes: number;
}

/**
 * Writes what differs from `base` (an image of the same memory; absent means all zero) into an open, possibly
 * preallocated file, from its start, and waits until it is on the disk. The file is never truncated: that would give
 * back what was preallocated.
 */
export async function writeMemoryDiff(
  file: DataFile,
  source: PageSource,
  options: {
    readonly memoryBytes: number;
    readonly base: DataFile | undefined;
  },
): Promise<WrittenDiff> {
  const turn = createTurns();
  const pieces = await classify(source, options.base, turn);
  const runs: DiffRun[] = [];
  let dataPages = 0;
  let zeroPages = 0;
  for (const piece of pieces) {
    await turn(piece.pageCount);
    const isData = piece.kind === "data";
    const digest = isData
      ? hash("sha256", source.read(piece.firstPage, piece.pageCount, piece.offset), "hex")
      : "";
    runs.push({ ...piece, dataPage: isData ? dataPages : 0, digest });
    if (isData) dataPages += piece.pageCount;
    else zeroPages += piece.pageCount;
  }
  const table = encodeMemoryDiffTable({ memoryBytes: options.memoryBytes, runs });
  const dataOffset = table.bytes.length;
  for (const [index, piece] of pieces.entries()) {
    const run = runs[index];
    if (run?.kind !== "data") continue;
    await turn(piece.pageCount);
    const pages = source.read(piece.firstPage, piece.pageCount, piece.offset);
    file.write(dataOffset + run.dataPage * pageBytes, pages);
  }
  file.write(0, table.bytes);
  file.sync();
  return { tableDigest: table.digest, dataPages, zeroPages, fileBytes: dataOffset + dataPages * pageBytes };
}

/** Lets the program's other work run after every so many pages. */
function createTurns(): (pages: number) => Promise<void> {
  let pagesDone = 0;
  return async (pages) => {
    pagesDone += pages;
    if (pagesDone <= pagesPerTurn) return;
    pagesDone = 0;
    await nextTurn();
  };
}

interface Piece extends PageRun {
  readonly kind: "zero" | "data";
  /** For PageSource.read. */
  readonly offset: number;
}

/** Cuts runs into runs of data and of zero pages, leaving out pages that are equal to the base's. */
async function classify(
  source: PageSource,
  base: DataFile | undefined,
  turn: (pages: number) => Promise<void>,
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  const basePages = Buffer.allocUnsafe(maxDataRunPages * pageBytes);
  let offset = 0;
  for (const run of source.runs) {
    for (let done = 0; done < run.pageCount; done += maxDataRunPages) {
      const count = Math.min(maxDataRunPages, run.pageCount - done);
      const firstPage = run.firstPage + done;
      await turn(count);
      const pages = source.read(firstPage, count, offset);
      base?.read(firstPage * pageBytes, basePages.subarray(0, count * pageBytes));
      let open: { kind: Piece["kind"]; firstPage: number; offset: number } | undefined;
      const close = (endPage: number) => {
        if (open !== undefined) pieces.push({ ...open, pageCount: endPage - open.firstPage });
        open = undefined;
      };
      for (let index = 0; index < count; index += 1) {
        const at = index * pageBytes;
        const zero = isZeroPage(pages, at);
        const same =
          base === undefined ? zero : pages.compare(basePages, at, at + pageBytes, at, at + pageBytes) === 0;
        const kind = same ? undefined : zero ? "zero" : "data";
        if (open !== undefined && open.kind !== kind) close(firstPage + index);
        if (kind !== undefined) open ??= { kind, firstPage: firstPage + index, offset: offset + at };
      }
      close(firstPage + count);
      offset += count * pageBytes;
    }
  }
  return pieces;
}

/** How large the file will be at most for these pages: what to preallocate. */
export function memoryDiffSizeBytes(runs: readonly PageRun[]): number {
  const cuts = runs.reduce((sum, run) => sum + Math.ceil(run.pageCount / maxDataRunPages), 0);
  return memoryDiffDataOffset(cuts) + runs.reduce((sum, run) => sum + run.pageCount, 0) * pageBytes;
}

export interface MemoryDiffReader {
  readonly table: MemoryDiffTable;
  /** The pages of a data run, checked against its digest. Valid until the next call. */
  readRun(run: DiffRun): Buffer;
  close(): void;
}

/** Opens a diff whose table must have this digest: the snapshot's record says so. */
export function openMemoryDiff(path: string, tableDigest: string): MemoryDiffReader {
  const file = openDataFile(path, "read");
  try {
    const size = file.sizeBytes();
    const head = Buffer.alloc(memoryDiffHeaderBytes);
    if (size < head.length) throw new KeyframeError("damaged", `${path} is damaged: it is too short`);
    file.read(0, head);
    const header = parseMemoryDiffHeader(head, path);
    const dataOffset = memoryDiffDataOffset(header.runCount);
    if (size < dataOffset + header.dataPages * pageBytes) {
      throw new KeyframeError("damaged", `${path} is damaged: it ends before its last page`);
    }
    if (header.tableDigest !== tableDigest) {
      throw new KeyframeError(
        "damaged",
        `${path} is not the memory that its snapshot was made with: expected ${tableDigest}, found ${header.tableDigest}`,
      );
    }
    const bytes = Buffer.alloc(memoryDiffTableBytes(header.runCount));
    file.read(memoryDiffHeaderBytes, bytes);
    const table = parseMemoryDiffTable(header, bytes, path);
    const pages = Buffer.allocUnsafe(maxDataRunPages * pageBytes);
    return {
      table,
      readRun(run) {
        const content = pages.subarray(0, run.pageCount * pageBytes);
        file.read(dataOffset + run.dataPage * pageBytes, content);
        const actual = hash("sha256", content, "hex");
        if (actual !== run.digest) {
          throw new KeyframeError(
            "damaged",
            `${path} is damaged: pages ${run.firstPage} to ${run.firstPage + run.pageCount - 1} do not match their digest: expected ${run.digest}, found ${actual}`,
            {
              hint: "`keyframe snapshot verify` lists everything that is affected",
            },
          );
        }
        return content;
      },
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
