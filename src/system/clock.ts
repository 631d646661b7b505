/** Time as the program sees it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start that never go back. */
  monotonicMs(): number;
  /** Blocks the thread: for the short waits of hooks, which have nothing else to do. */
  sleepSync(delayMs: number): void;
  /** Resolves after `delayMs`, or rejects with the signal's reason. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  // not performance.now(): that loads a module of several milliseconds
  monotonicMs() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  sleepSync(delayMs) {
    Atomics.wait(waitCell, 0, 0, delayMs);
  },
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

const waitCell = new Int32Array(new SharedArrayBuffer(4));

export interface FakeClock extends Clock {
  /** Moves time on and wakes the sleepers that are due. */
  advance(byMs: number): void;
}

/** A clock that moves only when told. */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsedMs = 0;
  const advance = (byMs: number) => {
    elapsedMs += byMs;
    const due = sleepers.filter((sleeper) => sleeper.dueMs <= elapsedMs);
    sleepers = sleepers.filter((sleeper) => sleeper.dueMs > elapsedMs);
    for (const sleeper of due) sleeper.wake();
  };
  let sleepers: { readonly dueMs: number; readonly wake: () => void }[] = [];
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        sleepers.push({ dueMs: elapsedMs + delayMs, wake: resolve });
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    sleepSync: advance,
    advance,
  };
}
