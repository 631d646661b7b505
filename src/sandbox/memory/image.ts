import type { DataFile } from "../../system/files/data-file.ts";
import { nextTurn } from "../../system/turn.ts";
import type { DiffRun } from "./diff.ts";
import type { MemoryDiffReader } from "./diff-file.ts";
import { type PageRun, pageBytes, pagesPerTurn } from "./page-runs.ts";

/** A run of the flat image: which link of the chain holds it. */
export interface FlatRun extends PageRun {
  /** Index into the chain, 0 is the root. */
  readonly link: number;
  readonly run: DiffRun;
}

/**
 * The map of a chain's image: for every page the newest link that says something about it. `chain` is from the root
 * to the head. Zero pages of the root are left out, and zero pages that cover data are too: the image starts as zeros.
 */
export function flattenChain(chain: readonly (readonly DiffRun[])[], pageCount: number): FlatRun[] {
  const owner = new Int16Array(pageCount).fill(-1);
  const runOf = new Int32Array(pageCount);
  for (const [link, runs] of chain.entries()) {
    for (const [index, run] of runs.entries()) {
      owner.fill(run.kind === "data" ? link : -1, run.firstPage, run.firstPage + run.pageCount);
      runOf.fill(index, run.firstPage, run.firstPage + run.pageCount);
    }
  }
  const flat: FlatRun[] = [];
  for (let page = 0; page < pageCount; ) {
    const link = owner[page] ?? -1;
    const index = runOf[page] ?? 0;
    let end = page + 1;
    while (end < pageCount && owner[end] === link && (link === -1 || runOf[end] === index)) end += 1;
    const run = chain[link]?.[index];
    if (run !== undefined) flat.push({ link, run, firstPage: page, pageCount: end - page });
    page = end;
  }
  return flat;
}

/** Writes the image of a chain into an empty file. Every page comes from a run whose digest has been checked. */
export async function writeMemoryImage(
  target: DataFile,
  chain: readonly MemoryDiffReader[],
  memoryBytes: number,
): Promise<void> {
  target.resize(memoryBytes);
  const flat = flattenChain(
    chain.map((reader) => reader.table.runs),
    memoryBytes / pageBytes,
  );
  // pieces of one run are not neighbours in the image: by link and run, each is read and checked once
  flat.sort((a, b) => a.link - b.link || a.run.dataPage - b.run.dataPage || a.firstPage - b.firstPage);
  let turnPages = 0;
  let last: { readonly run: DiffRun; readonly pages: Buffer } | undefined;
  for (const piece of flat) {
    const reader = chain[piece.link];
    if (reader === undefined) continue;
    if (last?.run !== piece.run) {
      turnPages += piece.run.pageCount;
      if (turnPages > pagesPerTurn) {
        turnPages = 0;
        await nextTurn();
      }
      last = { run: piece.run, pages: reader.readRun(piece.run) };
    }
    const from = (piece.firstPage - piece.run.firstPage) * pageBytes;
    target.write(piece.firstPage * pageBytes, last.pages.subarray(from, from + piece.pageCount * pageBytes));
  }
}

/** Changes an image into that of a snapshot that depends on it. */
export async function writeDiffOver(target: DataFile, reader: MemoryDiffReader): Promise<void> {
  let turnPages = 0;
  for (const run of reader.table.runs) {
    turnPages += run.pageCount;
    if (turnPages > pagesPerTurn) {
      turnPages = 0;
      await nextTurn();
    }
    const pages = run.kind === "data" ? reader.readRun(run) : Buffer.alloc(run.pageCount * pageBytes);
    target.write(run.firstPage * pageBytes, pages);
  }
}
