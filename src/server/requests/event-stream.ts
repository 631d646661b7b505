/** A response body that is written piece by piece, as fast as its reader reads. */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Resolves when the reader has taken it; rejects when the reader has gone or the stream has ended. */
  push(bytes: Uint8Array): Promise<void>;
  /** After what was pushed. */
  end(): void;
  /** Fires when the reader has gone before the end. */
  readonly gone: AbortSignal;
  /** Fires when it has gone, or has all of it. */
  readonly over: AbortSignal;
}

export interface EventStreamOptions {
  /** Pushed now and then, so that a reader that has gone is noticed, and one that is there sees that this is too. */
  readonly keepAlive: Uint8Array;
  readonly everyMs: number;
}

export function createEventStream(options: EventStreamOptions): EventStream {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const gone = new AbortController();
  const over = new AbortController();
  let pending = 0;
  const push = async (bytes: Uint8Array) => {
    pending += 1;
    try {
      await writer.write(bytes);
    } finally {
      pending -= 1;
    }
  };
  const timer = setInterval(() => {
    // a reader that has not taken the last piece needs no other
    if (pending === 0) push(options.keepAlive).catch(() => undefined); // `gone` tells
  }, options.everyMs);
  timer.unref();
  over.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  writer.closed.then(
    () => over.abort(),
    () => {
      gone.abort();
      over.abort();
    },
  );
  return {
    body: readable,
    push,
    end() {
      clearInterval(timer);
      writer.close().catch(() => undefined); // the reader has gone: then it has ended
    },
    gone: gone.signal,
    over: over.signal,
  };
}
