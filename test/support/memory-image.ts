import type { ByteRange, ImageExtent, StreamedImage } from "../../src/blocks/streamed-image.ts";
import { createFakeRandom } from "../../src/system/random.ts";

export interface OpenedStream extends ByteRange {
  /** Bytes that were taken from this stream so far. */
  takenBytes: number;
  ended: boolean;
}

export interface MemoryImageOptions {
  readonly blockSizeBytes?: number;
  readonly pieceBytes?: number;
  /** Awaited before each piece of a stream. */
  readonly gate?: (place: {
    readonly stream: OpenedStream;
    readonly offsetBytes: number;
  }) => Promise<void> | void;
  /** Runs of blocks that read as zeros and are announced as such. */
  readonly zeroBlocks?: ReadonlySet<number>;
}

export interface MemoryImage extends StreamedImage {
  readonly content: Buffer;
  readonly opened: OpenedStream[];
  /** How often each block was delivered. */
  readonly deliveries: Uint32Array;
  readonly state: { closed: boolean };
}

/** An image in memory that counts what is asked of it and can be held up or broken at any byte by its gate. */
export function memoryImage(content: Buffer, options: MemoryImageOptions = {}): MemoryImage {
  const { blockSizeBytes = 4096, pieceBytes = 16 * 1024, gate, zeroBlocks } = options;
  const opened: OpenedStream[] = [];
  const deliveries = new Uint32Array(Math.ceil(content.length / blockSizeBytes));
  const state = { closed: false };
  for (const block of zeroBlocks ?? []) {
    content.subarray(block * blockSizeBytes, (block + 1) * blockSizeBytes).fill(0);
  }

  async function* stream(range: ByteRange, signal: AbortSignal): AsyncGenerator<Buffer> {
    const record: OpenedStream = { ...range, takenBytes: 0, ended: false };
    opened.push(record);
    try {
      const end = range.offsetBytes + range.lengthBytes;
      let offsetBytes = range.offsetBytes;
      while (offsetBytes < end) {
        await gate?.({ stream: record, offsetBytes });
        signal.throwIfAborted();
        const pieceEnd = Math.min(end, (Math.floor(offsetBytes / pieceBytes) + 1) * pieceBytes);
        for (
          let block = Math.floor(offsetBytes / blockSizeBytes);
          block * blockSizeBytes < pieceEnd;
          block += 1
        ) {
          deliveries[block] = (deliveries[block] ?? 0) + 1;
        }
        record.takenBytes += pieceEnd - offsetBytes;
        yield Buffer.from(content.subarray(offsetBytes, pieceEnd));
        offsetBytes = pieceEnd;
      }
    } finally {
      record.ended = true;
    }
  }

  function* extents({ offsetBytes, lengthBytes }: ByteRange): Generator<ImageExtent> {
    const end = offsetBytes + lengthBytes;
    const kindAt = (offset: number) =>
      zeroBlocks?.has(Math.floor(offset / blockSizeBytes)) === true ? "zero" : "data";
    let start = offsetBytes;
    while (start < end) {
      const kind = kindAt(start);
      let next = start;
      do next = Math.min(end, (Math.floor(next / blockSizeBytes) + 1) * blockSizeBytes);
      while (next < end && kindAt(next) === kind);
      yield { kind, offsetBytes: start, lengthBytes: next - start };
      start = next;
    }
  }

  return {
    sizeBytes: content.length,
    blockSizeBytes,
    content,
    opened,
    deliveries,
    state,
    stream,
    extents,
    async close() {
      state.closed = true;
    },
  };
}

/** Bytes without zero blocks that are the same for the same seed. */
export function patternBytes(sizeBytes: number, seed = 1): Buffer {
  const bytes = createFakeRandom(seed).bytes(Math.min(sizeBytes, 65_537));
  const whole = Buffer.alloc(sizeBytes);
  for (let offset = 0; offset < sizeBytes; offset += bytes.length) bytes.copy(whole, offset);
  for (let offset = 0; offset + 8 <= sizeBytes; offset += 512) whole.writeDoubleLE(offset + seed, offset);
  return whole;
}

/** A gate that lets `count` pieces through at each call of `step`. */
export function createSteppedGate() {
  let allowed = 0;
  let waiting: (() => void)[] = [];
  return {
    gate: async (): Promise<void> => {
      while (allowed === 0) await new Promise<void>((resolve) => waiting.push(resolve));
      allowed -= 1;
    },
    step: (count = 1): void => {
      allowed += count;
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
  };
}

/** Lets the event loop turn until the condition holds, and gives up after a bounded number of turns. */
export async function eventually(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`still not: ${condition.toString()}`);
}

/** Lets everything run that needs no outside event. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
