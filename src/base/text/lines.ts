import { asBuffer } from "../bytes.ts";

const lf = 0x0a;

/**
 * Cuts content into lines, each with its terminator; only the last may lack one. Empty content has no lines.
 * The results share memory with `content`.
 */
export function splitLines(content: Uint8Array): Buffer[] {
  const buffer = asBuffer(content);
  const lines: Buffer[] = [];
  let start = 0;
  while (start < buffer.length) {
    const end = buffer.indexOf(lf, start);
    const next = end === -1 ? buffer.length : end + 1;
    lines.push(buffer.subarray(start, next));
    start = next;
  }
  return lines;
}

export interface Line {
  /** Without the terminator. Shares memory with the reader: valid until the next line is taken. */
  readonly bytes: Buffer;
  /** Where the line starts in the stream. */
  readonly offsetBytes: number;
  /** False for a last line without a newline. */
  readonly terminated: boolean;
}

export interface OversizedLine {
  readonly oversized: true;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly terminated: boolean;
}

/**
 * Splits a stream of chunks into lines with bounded memory: a line longer than `maxLineBytes` is skipped and
 * reported by its place and size, and the lines after it still arrive.
 */
export function* readLines(
  chunks: Iterable<Uint8Array>,
  maxLineBytes: number,
): Generator<Line | OversizedLine> {
  const splitter = createLineSplitter(maxLineBytes);
  for (const chunk of chunks) yield* splitter.push(chunk);
  yield* splitter.end();
}

/** `readLines` over an asynchronous stream. */
export async function* readLinesAsync(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<Line | OversizedLine> {
  const splitter = createLineSplitter(maxLineBytes);
  for await (const chunk of chunks) yield* splitter.push(chunk);
  yield* splitter.end();
}

function createLineSplitter(maxLineBytes: number) {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let lineOffset = 0;

  function add(part: Buffer): void {
    if (part.length === 0) return;
    pendingBytes += part.length;
    if (pendingBytes <= maxLineBytes) pending.push(Buffer.from(part));
    else pending = [];
  }

  function take(last: Buffer, terminated: boolean): Line | OversizedLine {
    const sizeBytes = pendingBytes + last.length;
    const offsetBytes = lineOffset;
    const oversized = sizeBytes > maxLineBytes;
    const bytes = oversized || pending.length === 0 ? last : Buffer.concat([...pending, last]);
    pending = [];
    pendingBytes = 0;
    lineOffset += sizeBytes + (terminated ? 1 : 0);
    return oversized ? { oversized, offsetBytes, sizeBytes, terminated } : { bytes, offsetBytes, terminated };
  }

  return {
    *push(chunk: Uint8Array): Generator<Line | OversizedLine> {
      const buffer = asBuffer(chunk);
      let start = 0;
      for (;;) {
        const end = buffer.indexOf(lf, start);
        if (end === -1) break;
        yield take(buffer.subarray(start, end), true);
        start = end + 1;
      }
      add(buffer.subarray(start));
    },
    *end(): Generator<Line | OversizedLine> {
      if (pendingBytes > 0) yield take(Buffer.alloc(0), false);
    },
  };
}
