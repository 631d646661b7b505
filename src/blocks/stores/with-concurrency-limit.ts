import { assert } from "../../base/assert.ts";
import type { ObjectStore } from "./interface/object-store.ts";

/** The store with at most `limit` calls at a time; a stream counts from its first piece to its end. First come, first served. */
export function withConcurrencyLimit(store: ObjectStore, limit: number): ObjectStore {
  const slots = createSlots(limit);
  async function limited<T>(signal: AbortSignal, operation: () => Promise<T>): Promise<T> {
    await slots.take(signal);
    try {
      return await operation();
    } finally {
      slots.release();
    }
  }
  async function* limitedStream<T>(signal: AbortSignal, open: () => AsyncIterable<T>): AsyncGenerator<T> {
    await slots.take(signal);
    try {
      yield* open();
    } finally {
      slots.release();
    }
  }
  return {
    ...store,
    stat: (key, signal) => limited(signal, () => store.stat(key, signal)),
    read: (key, range, signal) => limitedStream(signal, () => store.read(key, range, signal)),
    put: (key, content, options) => limited(options.signal, () => store.put(key, content, options)),
    list: (prefix, signal) => limitedStream(signal, () => store.list(prefix, signal)),
    delete: (key, signal) => limited(signal, () => store.delete(key, signal)),
  };
}

function createSlots(limit: number) {
  assert(limit >= 1, "a limit allows nothing");
  let free = limit;
  const waiting: (() => void)[] = [];
  return {
    take(signal: AbortSignal): Promise<void> {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (free > 0) {
        free -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const grant = () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        };
        const onAbort = () => {
          waiting.splice(waiting.indexOf(grant), 1);
          reject(signal.reason);
        };
        waiting.push(grant);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    },
    release(): void {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}
