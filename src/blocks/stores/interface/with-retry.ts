import { isKeyframeError } from "../../../base/errors.ts";
import type { Clock } from "../../../system/clock.ts";
import type { Random } from "../../../system/random.ts";
import type { ByteRange } from "../../streamed-image.ts";
import { exactly } from "./object-content.ts";
import type { ObjectContent, ObjectStore, PutOptions, PutResult } from "./object-store.ts";

export interface RetryPolicy {
  /** No new attempt starts later than this after the first, or after the last byte of a stream arrived. */
  readonly deadlineMs: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { deadlineMs: 30_000, firstDelayMs: 100, maxDelayMs: 5_000 };

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly onRetry?: (attempt: { readonly delayMs: number; readonly error: unknown }) => void;
}

/**
 * The store, with every failure that can go away by itself tried again after a random delay that doubles. A stream
 * that breaks off goes on at the byte where it broke: no byte is read twice.
 */
export function withRetry(store: ObjectStore, options: RetryOptions): ObjectStore {
  return {
    ...store,
    stat: (key, signal) => retried(options, signal, () => store.stat(key, signal)),
    put: (key, content, putOptions) => putOn(store, { key, content, putOptions }, options),
    delete: (key, signal) => retried(options, signal, () => store.delete(key, signal)),
    removeUnfinished: (beforeMs, signal) =>
      retried(options, signal, () => store.removeUnfinished(beforeMs, signal)),
    read: (key, range, signal) => readOn(store, { key, range, signal }, options),
    async *list(prefix, signal) {
      const attempts = startAttempts(options, signal);
      const seen = new Set<string>();
      for (;;) {
        try {
          for await (const object of store.list(prefix, signal)) {
            attempts.progressed();
            if (seen.has(object.key)) continue;
            seen.add(object.key);
            yield object;
          }
          return;
        } catch (error) {
          await attempts.waitAfter(error);
        }
      }
    },
  };
}

/** An upload that stores more than any attempt before it has made progress, and may fail again for as long as the deadline. */
async function putOn(
  store: ObjectStore,
  request: { readonly key: string; readonly content: ObjectContent; readonly putOptions: PutOptions },
  options: RetryOptions,
): Promise<PutResult> {
  const { key, content, putOptions } = request;
  const attempts = startAttempts(options, putOptions.signal);
  let mostBytes = 0;
  const onProgress = (doneBytes: number) => {
    if (doneBytes > mostBytes) attempts.progressed();
    mostBytes = Math.max(mostBytes, doneBytes);
    putOptions.onProgress?.(doneBytes);
  };
  for (;;) {
    try {
      return await store.put(key, content, { ...putOptions, onProgress });
    } catch (error) {
      await attempts.waitAfter(error);
    }
  }
}

async function* readOn(
  store: ObjectStore,
  request: { readonly key: string; readonly range: ByteRange | undefined; readonly signal: AbortSignal },
  options: RetryOptions,
): AsyncGenerator<Buffer> {
  const { key, signal } = request;
  const whole = request.range ?? wholeOf(await retried(options, signal, () => store.stat(key, signal)));
  const attempts = startAttempts(options, signal);
  let doneBytes = 0;
  for (;;) {
    const range =
      whole === undefined
        ? undefined
        : { offsetBytes: whole.offsetBytes + doneBytes, lengthBytes: whole.lengthBytes - doneBytes };
    try {
      const pieces = store.read(key, range, signal);
      for await (const piece of range === undefined ? pieces : exactly(pieces, range.lengthBytes, key)) {
        doneBytes += piece.length;
        attempts.progressed();
        yield piece;
      }
      return;
    } catch (error) {
      await attempts.waitAfter(error);
    }
  }
}

function wholeOf(stat: { readonly sizeBytes: number } | undefined): ByteRange | undefined {
  return stat === undefined ? undefined : { offsetBytes: 0, lengthBytes: stat.sizeBytes };
}

async function retried<T>(
  options: RetryOptions,
  signal: AbortSignal,
  operation: () => Promise<T>,
): Promise<T> {
  const attempts = startAttempts(options, signal);
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      await attempts.waitAfter(error);
    }
  }
}

/** Counts the time since the last progress and waits between attempts. */
export function startAttempts({ policy, clock, random, onRetry }: RetryOptions, signal: AbortSignal) {
  let startMs = clock.monotonicMs();
  let ceilingMs = policy.firstDelayMs;
  return {
    progressed(): void {
      startMs = clock.monotonicMs();
      ceilingMs = policy.firstDelayMs;
    },
    /** Waits before the next attempt, or throws the error if there is none. */
    async waitAfter(error: unknown): Promise<void> {
      if (signal.aborted) throw signal.reason;
      if (!isKeyframeError(error, "store-unavailable", "timed-out")) throw error;
      const delayMs = (ceilingMs * (1 + random.bytes(1).readUInt8(0) / 255)) / 2;
      if (clock.monotonicMs() - startMs + delayMs > policy.deadlineMs) throw error;
      onRetry?.({ delayMs, error });
      ceilingMs = Math.min(ceilingMs * 2, policy.maxDelayMs);
      await clock.sleep(delayMs, signal);
    },
  };
}
