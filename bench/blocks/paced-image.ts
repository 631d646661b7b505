import type { ByteRange, StreamedImage } from "../../src/blocks/streamed-image.ts";

export interface StoreModel {
  readonly name: string;
  readonly firstByteMs: number;
  readonly bytesPerMs: number;
  /** One clock for all streams of the store, as behind one network card; else each stream has the whole rate. */
  readonly sharedRate: boolean;
}

const pieceBytes = 4096;

export interface PacedImage extends StreamedImage {
  readonly served: { opens: number; bytes: number };
}

/** An image behind a store of that speed. Pieces are due on an absolute schedule, so that late timers do not add up. */
export function pacedImage(content: Buffer, model: StoreModel): PacedImage {
  const served = { opens: 0, bytes: 0 };
  let busyUntilMs = 0;

  async function* stream(
    { offsetBytes, lengthBytes }: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    served.opens += 1;
    let dueMs = performance.now() + model.firstByteMs;
    for (let done = 0; done < lengthBytes; done += pieceBytes) {
      const length = Math.min(pieceBytes, lengthBytes - done);
      if (model.sharedRate) {
        busyUntilMs = Math.max(busyUntilMs, dueMs) + length / model.bytesPerMs;
        dueMs = busyUntilMs;
      } else dueMs += length / model.bytesPerMs;
      await waitUntil(dueMs);
      signal.throwIfAborted();
      served.bytes += length;
      yield content.subarray(offsetBytes + done, offsetBytes + done + length);
    }
  }

  return {
    sizeBytes: content.length,
    blockSizeBytes: 4096,
    served,
    stream,
    *extents(range) {
      if (range.lengthBytes > 0) yield { ...range, kind: "data" };
    },
    close: () => Promise.resolve(),
  };
}

/** Sleeps coarsely, then turns the event loop until the moment has come: timers alone are a millisecond late. */
export function waitUntil(momentMs: number): Promise<void> | undefined {
  if (performance.now() >= momentMs) return undefined;
  return new Promise((resolve) => {
    const check = () => {
      const leftMs = momentMs - performance.now();
      if (leftMs <= 0) resolve();
      else if (leftMs > 2.5) setTimeout(check, leftMs - 2);
      else setImmediate(check);
    };
    check();
  });
}
