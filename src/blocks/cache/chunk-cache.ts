import { KeyframeError } from "../../base/errors.ts";
import { checkGeometry, clippedLength, type RandomAccessImage } from "../random-access-image.ts";
import type { ByteRange, StreamedImage } from "../streamed-image.ts";
import { createAccessRecorder, touchWindowBytes } from "./access-recorder.ts";
import type { CacheStore } from "./cache-store.ts";
import { type ChunkFetch, createChunkFetch, type FetchHost, type WaitOptions } from "./chunk-fetch.ts";
import { createPresence } from "./presence.ts";

export interface ChunkCacheOptions {
  readonly source: StreamedImage;
  readonly store: CacheStore;
  /** What is fetched around a demanded block; 4 MiB by default, a multiple of the tracking size. */
  readonly chunkBytes?: number;
  /** What is fetched for a blocked reader while as many chunks as may be are being filled. */
  readonly demandBytes?: number;
  /** A reader this close ahead of a stream waits for it instead of opening another. */
  readonly joinBytes?: number;
  /** Streams of one chunk at the same time; 1 brings every chunk in one sequential stream from the first demanded block. */
  readonly streamsPerChunk?: number;
  /** Chunks that are filled at the same time. */
  readonly fills?: number;
  /** Keep the order of first touches for `recordedTouches`. */
  readonly recordTouches?: boolean;
}

export const defaultChunkBytes = 4 * 1024 * 1024;
const defaultDemandBytes = 64 * 1024;
const defaultJoinBytes = 256 * 1024;
const defaultStreamsPerChunk = 4;
const defaultFills = 4;

/**
 * An image whose bytes are fetched when they are first read and kept in a file. A read of what is there allocates
 * nothing; one that is not waits for its own blocks alone, and the rest of the chunk follows.
 */
export interface ChunkCache extends RandomAccessImage {
  /**
   * Fetches windows (see `touchWindowBytes`) in the given order, each only while no reader is blocked. Ends early
   * with the first error or when the signal fires.
   */
  prefetch(windows: Iterable<number>, signal?: AbortSignal): Promise<void>;
  /** Windows in the order of their first read; empty unless `recordTouches`. */
  recordedTouches(): Uint32Array;
  presentBlocks(): number;
}

/** The cache owns source and store and closes both. */
export function openChunkCache(options: ChunkCacheOptions): ChunkCache {
  const { source, store } = options;
  const { sizeBytes, blockSizeBytes } = source;
  checkGeometry(source);
  const chunkBytes = options.chunkBytes ?? defaultChunkBytes;
  checkChunk(chunkBytes, store.trackingBytes);

  const { file } = store;
  const sizeBlocks = Math.ceil(sizeBytes / blockSizeBytes);
  const chunkBlocks = chunkBytes / blockSizeBytes;
  const presence = createPresence(store.bits, {
    sizeBlocks,
    granuleBlocks: store.trackingBytes / blockSizeBytes,
  });
  const touches = options.recordTouches === true ? createAccessRecorder(sizeBytes) : undefined;
  const fetches = new Map<number, ChunkFetch>();
  const waitingToFill = new Set<number>();
  const maxFills = options.fills ?? defaultFills;
  let fills = 0;
  let blockedReaders = 0;
  let wakePrefetch: (() => void)[] = [];
  let closing: Promise<void> | undefined;

  const blocksIn = (bytes: number) => Math.max(1, Math.floor(bytes / blockSizeBytes));
  const host: FetchHost = {
    source,
    file,
    presence,
    demandBlocks: blocksIn(options.demandBytes ?? defaultDemandBytes),
    joinBlocks: Math.floor((options.joinBytes ?? defaultJoinBytes) / blockSizeBytes),
    maxStreams: options.streamsPerChunk ?? defaultStreamsPerChunk,
    takeFillSlot(chunkIndex) {
      if (fills >= maxFills) {
        waitingToFill.add(chunkIndex);
        return false;
      }
      waitingToFill.delete(chunkIndex);
      fills += 1;
      return true;
    },
    releaseFillSlot() {
      fills -= 1;
      const [next] = waitingToFill;
      if (next === undefined || closing !== undefined) return;
      waitingToFill.delete(next);
      fills += 1;
      fetchOf(next).fill();
    },
    noteBlocked(change) {
      blockedReaders += change;
      if (blockedReaders > 0) return;
      const woken = wakePrefetch;
      wakePrefetch = [];
      for (const wake of woken) wake();
    },
    whenNobodyIsBlocked: () =>
      blockedReaders === 0 ? undefined : new Promise((resolve) => wakePrefetch.push(resolve)),
    noteArrived: (lengthBytes) => store.noteArrived(lengthBytes),
    ended: (chunkIndex) => void fetches.delete(chunkIndex),
  };

  function read(into: Buffer, offsetBytes: number, signal?: AbortSignal): number | Promise<number> {
    const lengthBytes = clippedLength(offsetBytes, into.length, sizeBytes);
    if (closing !== undefined) throw closedError();
    if (lengthBytes === 0) return 0;
    touches?.note(offsetBytes, lengthBytes);
    const startBlock = Math.floor(offsetBytes / blockSizeBytes);
    const endBlock = Math.ceil((offsetBytes + lengthBytes) / blockSizeBytes);
    const target = lengthBytes === into.length ? into : into.subarray(0, lengthBytes);
    if (presence.hasAll(startBlock, endBlock)) return file.readSync(target, offsetBytes);
    return readAfter(bringIn(startBlock, endBlock, { signal, priority: "demand" }), target, offsetBytes);
  }

  async function readAfter(arrival: Promise<unknown>, target: Buffer, offsetBytes: number): Promise<number> {
    await arrival;
    if (closing !== undefined) throw closedError();
    return file.readSync(target, offsetBytes);
  }

  /** Resolves when the blocks are in the file, whichever chunks they lie in. */
  function bringIn(startBlock: number, endBlock: number, options: WaitOptions): Promise<unknown> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const arrivals: Promise<void>[] = [];
    for (let index = Math.floor(startBlock / chunkBlocks); index * chunkBlocks < endBlock; index += 1) {
      const run = {
        startBlock: Math.max(startBlock, index * chunkBlocks),
        endBlock: Math.min(endBlock, (index + 1) * chunkBlocks),
      };
      if (!presence.hasAll(run.startBlock, run.endBlock)) arrivals.push(fetchOf(index).wait(run, options));
    }
    return Promise.all(arrivals);
  }

  function fetchOf(index: number): ChunkFetch {
    const running = fetches.get(index);
    if (running !== undefined) return running;
    const startBlock = index * chunkBlocks;
    const fetch = createChunkFetch(
      index,
      { startBlock, endBlock: Math.min(startBlock + chunkBlocks, sizeBlocks) },
      host,
    );
    fetches.set(index, fetch);
    return fetch;
  }

  async function prefetch(windows: Iterable<number>, signal?: AbortSignal): Promise<void> {
    const windowBytes = Math.max(touchWindowBytes, store.trackingBytes);
    for (const window of windows) {
      const start = Math.floor((window * touchWindowBytes) / windowBytes) * windowBytes;
      if (start >= sizeBytes) continue;
      while (blockedReaders > 0) await host.whenNobodyIsBlocked();
      signal?.throwIfAborted();
      if (closing !== undefined) throw closedError();
      const startBlock = Math.floor(start / blockSizeBytes);
      const endBlock = Math.ceil(Math.min(start + windowBytes, sizeBytes) / blockSizeBytes);
      await bringIn(startBlock, endBlock, { signal, priority: "prefetch" });
    }
  }

  async function close(): Promise<void> {
    const ending = [...fetches.values()];
    for (const fetch of ending) fetch.fail(closedError());
    await Promise.all(ending.map((fetch) => fetch.settled()));
    try {
      await store.close();
    } finally {
      await source.close();
    }
  }

  return {
    sizeBytes,
    blockSizeBytes,
    read,
    *extents(range: ByteRange) {
      const lengthBytes = clippedLength(range.offsetBytes, range.lengthBytes, sizeBytes);
      if (lengthBytes > 0) yield* source.extents({ offsetBytes: range.offsetBytes, lengthBytes });
    },
    prefetch,
    recordedTouches: () => touches?.inOrder() ?? new Uint32Array(0),
    presentBlocks() {
      const granules = presence.bits.countSet();
      return Math.min(sizeBlocks, granules * presence.granuleBlocks);
    },
    close() {
      closing ??= Promise.resolve().then(close);
      return closing;
    },
  };
}

function checkChunk(chunkBytes: number, trackingBytes: number): void {
  if (chunkBytes > 0 && chunkBytes % trackingBytes === 0) return;
  throw new KeyframeError(
    "invalid-input",
    `the chunk size ${chunkBytes} is not a multiple of the tracking size, ${trackingBytes} bytes`,
  );
}

function closedError(): KeyframeError {
  return new KeyframeError("closed", "the image was closed while it was being read");
}
