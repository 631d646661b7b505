import { KeyframeError } from "../../base/errors.ts";
import type { SparseFile } from "../../system/files/sparse-file.ts";
import { checkGeometry, clippedLength, type RandomAccessImage } from "../random-access-image.ts";
import type { ByteRange, ImageExtent, StreamedImage } from "../streamed-image.ts";
import { createAccessRecorder, touchWindowBytes } from "./access-recorder.ts";
import type { CacheStore } from "./cache-store.ts";
import { type ChunkFetch, createChunkFetch, type FetchHost, type WaitOptions } from "./chunk-fetch.ts";
import { createPresence, type Presence } from "./presence.ts";

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
  checkGeometry(options.source);
  checkChunk(options.chunkBytes ?? defaultChunkBytes, options.store.trackingBytes);
  return new CacheOfChunks(options);
}

class CacheOfChunks implements ChunkCache {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly #source: StreamedImage;
  readonly #store: CacheStore;
  readonly #file: SparseFile;
  readonly #sizeBlocks: number;
  readonly #chunkBlocks: number;
  readonly #presence: Presence;
  readonly #touches: ReturnType<typeof createAccessRecorder> | undefined;
  readonly #fetches = new Map<number, ChunkFetch>();
  readonly #waitingToFill = new Set<number>();
  readonly #maxFills: number;
  readonly #host: FetchHost;
  #fills = 0;
  #blockedReaders = 0;
  #wakePrefetch: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: ChunkCacheOptions) {
    const { source, store } = options;
    this.sizeBytes = source.sizeBytes;
    this.blockSizeBytes = source.blockSizeBytes;
    this.#source = source;
    this.#store = store;
    this.#file = store.file;
    this.#sizeBlocks = Math.ceil(source.sizeBytes / source.blockSizeBytes);
    this.#chunkBlocks = (options.chunkBytes ?? defaultChunkBytes) / source.blockSizeBytes;
    const granuleBlocks = store.trackingBytes / source.blockSizeBytes;
    this.#presence = createPresence(store.bits, { sizeBlocks: this.#sizeBlocks, granuleBlocks });
    this.#touches = options.recordTouches === true ? createAccessRecorder(source.sizeBytes) : undefined;
    this.#maxFills = options.fills ?? defaultFills;
    this.#host = this.#hostOf(options);
  }

  /** What the fetches of single chunks share. */
  #hostOf({ demandBytes, joinBytes, streamsPerChunk }: ChunkCacheOptions): FetchHost {
    const inBlocks = (bytes: number) => Math.floor(bytes / this.blockSizeBytes);
    return {
      source: this.#source,
      file: this.#file,
      presence: this.#presence,
      demandBlocks: Math.max(1, inBlocks(demandBytes ?? defaultDemandBytes)),
      joinBlocks: inBlocks(joinBytes ?? defaultJoinBytes),
      maxStreams: streamsPerChunk ?? defaultStreamsPerChunk,
      takeFillSlot: (chunkIndex) => this.#takeFillSlot(chunkIndex),
      releaseFillSlot: () => this.#releaseFillSlot(),
      noteBlocked: (change) => this.#noteBlocked(change),
      whenNobodyIsBlocked: () => this.#whenNobodyIsBlocked(),
      noteArrived: (lengthBytes) => this.#store.noteArrived(lengthBytes),
      ended: (chunkIndex) => void this.#fetches.delete(chunkIndex),
    };
  }

  #takeFillSlot(chunkIndex: number): boolean {
    if (this.#fills >= this.#maxFills) {
      this.#waitingToFill.add(chunkIndex);
      return false;
    }
    this.#waitingToFill.delete(chunkIndex);
    this.#fills += 1;
    return true;
  }

  #releaseFillSlot(): void {
    this.#fills -= 1;
    const [next] = this.#waitingToFill;
    if (next === undefined || this.#closing !== undefined) return;
    this.#waitingToFill.delete(next);
    this.#fills += 1;
    this.#fetchOf(next).fill();
  }

  #noteBlocked(change: 1 | -1): void {
    this.#blockedReaders += change;
    if (this.#blockedReaders > 0) return;
    const woken = this.#wakePrefetch;
    this.#wakePrefetch = [];
    for (const wake of woken) wake();
  }

  #whenNobodyIsBlocked(): Promise<void> | undefined {
    if (this.#blockedReaders === 0) return undefined;
    return new Promise((resolve) => this.#wakePrefetch.push(resolve));
  }

  read(into: Buffer, offsetBytes: number, signal?: AbortSignal): number | Promise<number> {
    const lengthBytes = clippedLength(offsetBytes, into.length, this.sizeBytes);
    if (this.#closing !== undefined) throw closedError();
    if (lengthBytes === 0) return 0;
    this.#touches?.note(offsetBytes, lengthBytes);
    const startBlock = Math.floor(offsetBytes / this.blockSizeBytes);
    const endBlock = Math.ceil((offsetBytes + lengthBytes) / this.blockSizeBytes);
    const target = lengthBytes === into.length ? into : into.subarray(0, lengthBytes);
    if (this.#presence.hasAll(startBlock, endBlock)) return this.#file.readSync(target, offsetBytes);
    return this.#readAfter(
      this.#bringIn(startBlock, endBlock, { signal, priority: "demand" }),
      target,
      offsetBytes,
    );
  }

  async #readAfter(arrival: Promise<unknown>, target: Buffer, offsetBytes: number): Promise<number> {
    await arrival;
    if (this.#closing !== undefined) throw closedError();
    return this.#file.readSync(target, offsetBytes);
  }

  /** Resolves when the blocks are in the file, whichever chunks they lie in. */
  #bringIn(startBlock: number, endBlock: number, options: WaitOptions): Promise<unknown> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const arrivals: Promise<void>[] = [];
    for (
      let index = Math.floor(startBlock / this.#chunkBlocks);
      index * this.#chunkBlocks < endBlock;
      index += 1
    ) {
      const run = {
        startBlock: Math.max(startBlock, index * this.#chunkBlocks),
        endBlock: Math.min(endBlock, (index + 1) * this.#chunkBlocks),
      };
      if (!this.#presence.hasAll(run.startBlock, run.endBlock))
        arrivals.push(this.#fetchOf(index).wait(run, options));
    }
    return Promise.all(arrivals);
  }

  #fetchOf(index: number): ChunkFetch {
    const running = this.#fetches.get(index);
    if (running !== undefined) return running;
    const startBlock = index * this.#chunkBlocks;
    const fetch = createChunkFetch(
      index,
      { startBlock, endBlock: Math.min(startBlock + this.#chunkBlocks, this.#sizeBlocks) },
      this.#host,
    );
    this.#fetches.set(index, fetch);
    return fetch;
  }

  async prefetch(windows: Iterable<number>, signal?: AbortSignal): Promise<void> {
    const windowBytes = Math.max(touchWindowBytes, this.#store.trackingBytes);
    for (const window of windows) {
      const start = Math.floor((window * touchWindowBytes) / windowBytes) * windowBytes;
      if (start >= this.sizeBytes) continue;
      while (this.#blockedReaders > 0) await this.#whenNobodyIsBlocked();
      signal?.throwIfAborted();
      if (this.#closing !== undefined) throw closedError();
      const startBlock = Math.floor(start / this.blockSizeBytes);
      const endBlock = Math.ceil(Math.min(start + windowBytes, this.sizeBytes) / this.blockSizeBytes);
      await this.#bringIn(startBlock, endBlock, { signal, priority: "prefetch" });
    }
  }

  async #closeAll(): Promise<void> {
    const ending = [...this.#fetches.values()];
    for (const fetch of ending) fetch.fail(closedError());
    await Promise.all(ending.map((fetch) => fetch.settled()));
    try {
      await this.#store.close();
    } finally {
      await this.#source.close();
    }
  }

  *extents(range: ByteRange): Generator<ImageExtent> {
    const lengthBytes = clippedLength(range.offsetBytes, range.lengthBytes, this.sizeBytes);
    if (lengthBytes > 0) yield* this.#source.extents({ offsetBytes: range.offsetBytes, lengthBytes });
  }

  recordedTouches(): Uint32Array {
    return this.#touches?.inOrder() ?? new Uint32Array(0);
  }

  presentBlocks(): number {
    const granules = this.#presence.bits.countSet();
    return Math.min(this.#sizeBlocks, granules * this.#presence.granuleBlocks);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.resolve().then(() => this.#closeAll());
    return this.#closing;
  }
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
