import { countPages, type PageRun, pageBytes } from "./page-runs.ts";

/**
 * Room for pages, made and touched before the pause: copying into memory that the kernel has yet to provide takes
 * three times as long. Larger than the last look by a quarter and 8 MiB, for what the guest writes until it stops.
 */
export function warmPageBuffer(runs: readonly PageRun[]): Buffer {
  const pages = countPages(runs);
  return Buffer.alloc((Math.ceil(pages * 1.25) + 2048) * pageBytes, 1);
}

/** The same buffer, or a cold, larger one where the guest has outrun the margin. */
export function roomFor(buffer: Buffer, runs: readonly PageRun[]): Buffer {
  const needed = countPages(runs) * pageBytes;
  return needed <= buffer.length ? buffer.subarray(0, needed) : Buffer.allocUnsafe(needed);
}
