import type { StreamSocket } from "../system/net/sockets.ts";
import { maxQueuedReplyBytes } from "./limits.ts";

/** A place for one reply. Fill `bytes` from `start` to `end`, then commit; `end` may be moved down before. */
export interface ReplyPlace {
  readonly bytes: Buffer;
  readonly start: number;
  end: number;
  readonly slab: Slab;
}

interface Slab {
  readonly bytes: Buffer;
  used: number;
  /** Places that are being filled or sent. */
  places: number;
}

/** Buffers that are used again: memory that the kernel has to clear first costs more than the copy into it. */
export interface SlabPool {
  take(lengthBytes: number): Buffer;
  giveBack(bytes: Buffer): void;
}

/**
 * Gathers the replies of one turn into few large writes; as soon as they make a whole one it goes to the socket, so that
 * the client takes it while the next is read. Data is read straight into the buffer that goes to the socket, whether the
 * read waits or not, and the buffers are used again.
 */
export interface ReplyWriter {
  reserve(lengthBytes: number): ReplyPlace;
  commit(place: ReplyPlace): void;
  /** A reply that is complete. */
  push(reply: Buffer): void;
  /** Hands all that is committed to the socket: called at the end of a turn. */
  flush(): void;
  /** Committed or with the socket, and not taken by the other side yet. */
  queuedBytes(): number;
}

const slabBytes = 256 * 1024;
const maxIdleBytes = 32 * 1024 * 1024;

/** One for all connections of a server. */
export function createSlabPool(): SlabPool {
  const idle = new Map<number, Buffer[]>();
  let idleBytes = 0;
  return {
    take(lengthBytes) {
      const size = lengthBytes <= slabBytes ? slabBytes : 2 ** Math.ceil(Math.log2(lengthBytes));
      const bytes = idle.get(size)?.pop();
      if (bytes === undefined) return Buffer.allocUnsafeSlow(size);
      idleBytes -= size;
      return bytes;
    },
    giveBack(bytes) {
      if (idleBytes + bytes.length > maxIdleBytes) return;
      idleBytes += bytes.length;
      const sameSize = idle.get(bytes.length);
      if (sameSize === undefined) idle.set(bytes.length, [bytes]);
      else sameSize.push(bytes);
    },
  };
}

export interface ReplyWriterOptions {
  readonly socket: Pick<StreamSocket, "write" | "cork" | "uncork">;
  readonly pool: SlabPool;
  /** The other side has taken what was queued down to half of the limit. */
  readonly onRoom: () => void;
}

export function createReplyWriter({ socket, pool, onRoom }: ReplyWriterOptions): ReplyWriter {
  let current: Slab | undefined;
  let ready: ReplyPlace[] = [];
  let queuedBytes = 0;
  let readyBytes = 0;

  function takeSlab(lengthBytes: number): Slab {
    const before = current;
    const slab = { bytes: pool.take(lengthBytes), used: 0, places: 0 };
    current = slab;
    if (before?.places === 0) pool.giveBack(before.bytes);
    return slab;
  }

  function reserve(lengthBytes: number): ReplyPlace {
    const fits = current !== undefined && current.used + lengthBytes <= current.bytes.length;
    const slab = fits && current !== undefined ? current : takeSlab(lengthBytes);
    const start = slab.used;
    slab.used += lengthBytes;
    slab.places += 1;
    return { bytes: slab.bytes, start, end: slab.used, slab };
  }

  function commit(place: ReplyPlace): void {
    queuedBytes += place.end - place.start;
    readyBytes += place.end - place.start;
    const last = ready[ready.length - 1];
    if (last?.slab === place.slab && last.end === place.start) {
      last.end = place.end;
      place.slab.places -= 1;
    } else ready.push(place);
    if (readyBytes >= slabBytes) flush();
  }

  function sent({ slab, start, end }: ReplyPlace): void {
    const before = queuedBytes;
    queuedBytes -= end - start;
    if (before > maxQueuedReplyBytes / 2 && queuedBytes <= maxQueuedReplyBytes / 2) onRoom();
    slab.places -= 1;
    if (slab.places > 0) return;
    slab.used = 0;
    if (slab !== current) pool.giveBack(slab.bytes);
  }

  function flush(): void {
    if (ready.length === 0) return;
    const places = ready;
    ready = [];
    readyBytes = 0;
    socket.cork();
    for (const place of places) {
      socket.write(place.bytes.subarray(place.start, place.end), () => sent(place));
    }
    socket.uncork();
  }

  return {
    reserve,
    commit,
    push(reply) {
      const place = reserve(reply.length);
      reply.copy(place.bytes, place.start);
      commit(place);
    },
    flush,
    queuedBytes: () => queuedBytes,
  };
}
