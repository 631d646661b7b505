import type { Clock } from "../../system/clock.ts";
import { checkKey, checkRange, collect, objectNotFound } from "./interface/object-content.ts";
import type { ObjectStore } from "./interface/object-store.ts";

/** What can go wrong with a store; each is asked before the call does anything, and may throw or wait. */
export interface MemoryStoreFaults {
  readonly beforeCall?: (call: {
    readonly name: "stat" | "read" | "put" | "list" | "delete";
    readonly key: string;
  }) => Promise<void> | void;
  /** Awaited before each piece; returns what arrives instead. A shorter piece is the last, undefined ends the stream before it. */
  readonly onPiece?: (place: {
    readonly key: string;
    readonly offsetBytes: number;
    readonly piece: Buffer;
  }) => Promise<Buffer | undefined> | Buffer | undefined;
}

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly faults?: MemoryStoreFaults;
  readonly pieceBytes?: number;
}

export interface MemoryStore extends ObjectStore {
  /** The objects themselves, for tests that damage them. */
  readonly objects: Map<string, { bytes: Buffer; createdMs: number }>;
}

/** Objects that end with the process: for tests, with every failure of a network on demand. */
export function createMemoryStore(options: MemoryStoreOptions): MemoryStore {
  const { clock, faults = {}, pieceBytes = 64 * 1024 } = options;
  const objects: MemoryStore["objects"] = new Map();
  const location = "memory";

  const begin = async (
    name: "stat" | "read" | "put" | "list" | "delete",
    key: string,
    signal: AbortSignal,
  ) => {
    signal.throwIfAborted();
    await faults.beforeCall?.({ name, key });
    signal.throwIfAborted();
  };
  const statOf = (object: { bytes: Buffer; createdMs: number }) => ({
    sizeBytes: object.bytes.length,
    createdMs: object.createdMs,
  });

  return {
    location,
    atomicPutBytes: Number.MAX_SAFE_INTEGER,
    objects,
    async stat(key, signal) {
      checkKey(key);
      await begin("stat", key, signal);
      const object = objects.get(key);
      return object === undefined ? undefined : statOf(object);
    },
    async *read(key, range, signal) {
      checkKey(key);
      await begin("read", key, signal);
      const object = objects.get(key);
      if (object === undefined) throw objectNotFound({ location }, key);
      const { offsetBytes, lengthBytes } = checkRange(range, statOf(object));
      for (let at = offsetBytes; at < offsetBytes + lengthBytes; at += pieceBytes) {
        signal.throwIfAborted();
        const end = Math.min(at + pieceBytes, offsetBytes + lengthBytes);
        const piece = Buffer.from(object.bytes.subarray(at, end));
        const delivered =
          faults.onPiece === undefined ? piece : await faults.onPiece({ key, offsetBytes: at, piece });
        if (delivered === undefined) return;
        yield delivered;
        if (delivered.length < piece.length) return;
      }
    },
    async put(key, content, { signal, onProgress }) {
      checkKey(key);
      await begin("put", key, signal);
      const whole = { offsetBytes: 0, lengthBytes: content.sizeBytes };
      const bytes = await collect(content.open(whole, signal), content.sizeBytes);
      onProgress?.(bytes.length);
      if (objects.has(key)) return "exists";
      objects.set(key, { bytes, createdMs: clock.nowMs() });
      return "created";
    },
    async *list(prefix, signal) {
      await begin("list", prefix, signal);
      for (const [key, object] of objects) {
        if (key.startsWith(prefix)) yield { key, ...statOf(object) };
      }
    },
    async delete(key, signal) {
      checkKey(key);
      await begin("delete", key, signal);
      objects.delete(key);
    },
    removeUnfinished: async () => 0,
    close: async () => undefined,
  };
}
