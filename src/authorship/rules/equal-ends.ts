import type { ContentLines } from "./content-lines.ts";

/** How many lines at the beginning and at the end two contents share, byte by byte; none is counted twice. */
export interface EqualEnds {
  readonly first: number;
  readonly last: number;
}

/** Finds what two contents share at both ends by comparing memory: what an edit left alone is never looked at by line. */
export function equalEnds(old: ContentLines, next: ContentLines): EqualEnds {
  const first = linesBefore(old, equalBytesAtStart(old.bytes, next.bytes));
  const start = old.starts[first] ?? 0;
  const bytes = equalBytesAtEnd(old.bytes.subarray(start), next.bytes.subarray(start));
  return { first, last: Math.min(linesAfter(old, bytes), next.count - first) };
}

/** Lines that end, terminator included, within so many bytes. */
function linesBefore({ bytes, starts, count }: ContentLines, sizeBytes: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= sizeBytes) low = middle;
    else high = middle - 1;
  }
  // a last line without its terminator is another line as soon as something follows
  return low > 0 && bytes[(starts[low] ?? 0) - 1] !== lf ? low - 1 : low;
}

/** Lines that begin within the last so many bytes, behind a byte that is of those as well. */
function linesAfter({ bytes, starts, count }: ContentLines, sizeBytes: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) > bytes.length - sizeBytes) high = middle;
    else low = middle + 1;
  }
  return count - low;
}

function equalBytesAtStart(a: Buffer, b: Buffer): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  for (let piece = pieceBytes; piece >= 1; ) {
    const to = Math.min(at + piece, end);
    if (at < to && a.compare(b, at, to, at, to) === 0) at = to;
    else if (piece > 1) piece >>= 3;
    else break;
    if (at === end) break;
  }
  return at;
}

function equalBytesAtEnd(a: Buffer, b: Buffer): number {
  const end = Math.min(a.length, b.length);
  let size = 0;
  for (let piece = pieceBytes; piece >= 1; ) {
    const more = Math.min(size + piece, end);
    const isEqual =
      size < more && a.compare(b, b.length - more, b.length - size, a.length - more, a.length - size) === 0;
    if (isEqual) size = more;
    else if (piece > 1) piece >>= 3;
    else break;
    if (size === end) break;
  }
  return size;
}

const lf = 0x0a;
/** A power of eight: pieces get smaller until they are a byte. */
const pieceBytes = 8 ** 6;
