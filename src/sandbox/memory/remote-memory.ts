import { KeyframeError } from "../../base/errors.ts";
import { clippedLength, type RandomAccessImage } from "../../blocks/random-access-image.ts";
import type { ByteRange, ImageExtent } from "../../blocks/streamed-image.ts";
import {
  type DiffRun,
  memoryDiffDataOffset,
  memoryDiffHeaderBytes,
  memoryDiffTableBytes,
  parseMemoryDiffHeader,
  parseMemoryDiffTable,
} from "./diff.ts";
import { flattenChain } from "./image.ts";
import { pageBytes } from "./page-runs.ts";

/** A memory diff whose file is read through a cache, or lies here. */
export interface MemoryDiffImage {
  readonly reader: RandomAccessImage;
  readonly runs: readonly DiffRun[];
  readonly dataOffset: number;
}

/** Reads the table of a diff; `damaged` unless it has this digest. */
export async function openDiffImage(
  reader: RandomAccessImage,
  expected: { readonly tableDigest: string; readonly what: string },
): Promise<MemoryDiffImage> {
  const { tableDigest, what } = expected;
  const head = Buffer.alloc(memoryDiffHeaderBytes);
  const got = await reader.read(head, 0);
  const header = parseMemoryDiffHeader(head.subarray(0, got), what);
  if (header.tableDigest !== tableDigest) {
    throw new KeyframeError("damaged", `${what} is not the memory that its snapshot was made with`);
  }
  const table = Buffer.alloc(memoryDiffTableBytes(header.runCount));
  const tableBytes = await reader.read(table, memoryDiffHeaderBytes);
  const { runs } = parseMemoryDiffTable(header, table.subarray(0, tableBytes), what);
  return { reader, runs, dataOffset: memoryDiffDataOffset(header.runCount) };
}

/** The flat memory of a chain of diffs, root first: every read goes to the newest diff that says something. */
export function openChainMemory(chain: readonly MemoryDiffImage[], memoryBytes: number): RandomAccessImage {
  const flat = flattenChain(
    chain.map((link) => link.runs),
    memoryBytes / pageBytes,
  );

  /** The data of the range in order, with where it is in its diff. */
  function* piecesOf({ offsetBytes, lengthBytes }: ByteRange) {
    const end = offsetBytes + lengthBytes;
    for (let index = firstEndingAfter(offsetBytes); index < flat.length; index += 1) {
      const piece = flat[index];
      const link = chain[piece?.link ?? -1];
      if (piece === undefined || link === undefined || piece.firstPage * pageBytes >= end) return;
      const from = Math.max(offsetBytes, piece.firstPage * pageBytes);
      const to = Math.min(end, (piece.firstPage + piece.pageCount) * pageBytes);
      const stored =
        link.dataOffset + piece.run.dataPage * pageBytes + from - piece.run.firstPage * pageBytes;
      yield { reader: link.reader, from, to, stored };
    }
  }

  function firstEndingAfter(offsetBytes: number): number {
    let [low, high] = [0, flat.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const piece = flat[middle];
      if (piece !== undefined && (piece.firstPage + piece.pageCount) * pageBytes <= offsetBytes) {
        low = middle + 1;
      } else high = middle;
    }
    return low;
  }

  return {
    sizeBytes: memoryBytes,
    blockSizeBytes: pageBytes,
    async read(into, offsetBytes, signal) {
      const lengthBytes = clippedLength(offsetBytes, into.length, memoryBytes);
      into.fill(0, 0, lengthBytes);
      await Promise.all(
        Array.from(piecesOf({ offsetBytes, lengthBytes }), async ({ reader, from, to, stored }) => {
          const part = into.subarray(from - offsetBytes, to - offsetBytes);
          if ((await reader.read(part, stored, signal)) === part.length) return;
          throw new KeyframeError("damaged", "a memory diff ends before its last page");
        }),
      );
      return lengthBytes;
    },
    *extents(range): Generator<ImageExtent> {
      const end = Math.min(range.offsetBytes + range.lengthBytes, memoryBytes);
      let at = range.offsetBytes;
      for (const { from, to } of piecesOf(range)) {
        if (from > at) yield { kind: "zero", offsetBytes: at, lengthBytes: from - at };
        yield { kind: "data", offsetBytes: from, lengthBytes: to - from };
        at = to;
      }
      if (end > at) yield { kind: "zero", offsetBytes: at, lengthBytes: end - at };
    },
    async close() {
      await Promise.all(chain.map((link) => link.reader.close()));
    },
  };
}
