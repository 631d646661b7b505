/** Bytes of a page, here and in the guest. */
export const pageBytes = 4096;

/** Pages that are hashed, compared or written before others get their turn: 8 MiB, some 10 ms. */
export const pagesPerTurn = 2048;

/** Consecutive pages: numbers count from the start of guest memory. */
export interface PageRun {
  readonly firstPage: number;
  readonly pageCount: number;
}

const swapped = 0x40000000;
const present = 0x80000000;
const filePage = 0x20000000;

/**
 * The pages of a private file mapping that the process has written since it mapped the file, from the mapping's raw
 * pagemap: present and not of the file, or swapped out (bits 63, 61, 62). Relative to the file, whatever happened
 * between, so nothing has to be cleared and no earlier look can lose a page.
 */
export function parsePrivatePages(pageMap: Buffer): PageRun[] {
  const runs: PageRun[] = [];
  const pages = Math.floor(pageMap.length / 8);
  const words = new Uint32Array(pageMap.buffer, pageMap.byteOffset, pages * 2);
  let start = -1;
  for (let page = 0; page < pages; page += 1) {
    const high = words[page * 2 + 1] ?? 0;
    const isPrivate = ((high & present) !== 0 && (high & filePage) === 0) || (high & swapped) !== 0;
    if (isPrivate && start === -1) start = page;
    if (!isPrivate && start !== -1) {
      runs.push({ firstPage: start, pageCount: page - start });
      start = -1;
    }
  }
  if (start !== -1) runs.push({ firstPage: start, pageCount: pages - start });
  return runs;
}

export function countPages(runs: readonly PageRun[]): number {
  return runs.reduce((sum, run) => sum + run.pageCount, 0);
}

const zeroPage = Buffer.alloc(pageBytes);

export function isZeroPage(bytes: Buffer, offset: number): boolean {
  return bytes.compare(zeroPage, 0, pageBytes, offset, offset + pageBytes) === 0;
}
