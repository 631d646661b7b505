import type { StreamSocket, StreamSocketHandlers } from "../../src/system/net/sockets.ts";

export interface FakeSocket {
  readonly socket: StreamSocket;
  /** Delivers bytes as if they had come from the client; kept back while the server has paused. */
  feed(bytes: Buffer): void;
  /** All that the server has written so far. */
  output(): Buffer;
  readonly state: { ended: boolean; destroyed: boolean; paused: boolean };
  /** While true, what is written is not taken. */
  stalled: boolean;
  /** Takes all that was written while stalled. */
  take(): void;
  close(): void;
}

/** A connection without a network: deterministic, and as slow as the test wants. */
export function createFakeSocket(): FakeSocket {
  let handlers: StreamSocketHandlers | undefined;
  const written: Buffer[] = [];
  let untaken: (() => void)[] = [];
  let held: Buffer[] = [];
  const state = { ended: false, destroyed: false, paused: false };

  const over = () => {
    if (state.destroyed) return;
    state.destroyed = true;
    handlers?.onClose();
  };
  const fake: FakeSocket = {
    stalled: false,
    state,
    feed(bytes) {
      if (state.paused) held.push(bytes);
      else if (!state.destroyed) handlers?.onData(bytes);
    },
    output: () => Buffer.concat(written),
    take() {
      const taken = untaken;
      untaken = [];
      for (const done of taken) done();
    },
    close: over,
    socket: {
      handle(newHandlers) {
        handlers = newHandlers;
      },
      write(bytes, done) {
        written.push(Buffer.from(bytes));
        if (done === undefined) return;
        if (fake.stalled) untaken.push(done);
        else setImmediate(done);
      },
      cork: () => undefined,
      uncork: () => undefined,
      pause() {
        state.paused = true;
      },
      resume() {
        state.paused = false;
        const bytes = held;
        held = [];
        for (const piece of bytes) fake.feed(piece);
      },
      end() {
        state.ended = true;
        setImmediate(over);
      },
      destroy: () => setImmediate(over),
      upgradeToTls: () => Promise.reject(new Error("no TLS here")),
    },
  };
  return fake;
}
