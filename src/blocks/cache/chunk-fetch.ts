import { KeyframeError } from "../../base/errors.ts";
import type { SparseFile } from "../../system/files/sparse-file.ts";
import type { StreamedImage } from "../streamed-image.ts";
import { type BlockRange, type ChunkProgress, createChunkProgress } from "./chunk-progress.ts";
import type { Presence } from "./presence.ts";
import { pieces } from "./stream-pieces.ts";

/** What the fetch of a chunk needs of the cache that it belongs to. */
export interface FetchHost {
  readonly source: StreamedImage;
  readonly file: SparseFile;
  readonly presence: Presence;
  /** Blocks that are fetched for a blocked reader where the chunk may not be filled now. */
  readonly demandBlocks: number;
  /** A reader whose block is at most this far ahead of a stream waits for it; a farther one gets its own. */
  readonly joinBlocks: number;
  /** Streams of one chunk at the same time. */
  readonly maxStreams: number;
  /** Returns true if this chunk may be filled now; else it is remembered and `fill` is called when it may. */
  takeFillSlot(chunkIndex: number): boolean;
  releaseFillSlot(): void;
  /** How many readers wait for bytes changed. */
  noteBlocked(change: 1 | -1): void;
  /** Undefined if nobody is blocked; else resolves when nobody is. */
  whenNobodyIsBlocked(): Promise<void> | undefined;
  noteArrived(lengthBytes: number): void;
  /** The fetch holds nothing any more. */
  ended(chunkIndex: number): void;
}

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** "prefetch" takes its turn after every blocked reader of the image and does not fill the chunk. */
  readonly priority: "demand" | "prefetch";
}

/**
 * The fetch of one chunk, shared by all who wait for a block of it. Streams never overlap: a reader that is far ahead
 * of a stream takes over the rest of that stream's range, so no block is asked for twice.
 */
export interface ChunkFetch {
  /** Resolves when the blocks are in the file; rejects with the cause of a failed fetch or the signal's reason. */
  wait(run: BlockRange, options: WaitOptions): Promise<void>;
  /** Fetches what is missing of the chunk. The caller has a fill slot for it. */
  fill(): void;
  /** Ends all streams and wakes every waiter with the cause. */
  fail(cause: unknown): void;
  /** Resolves when no stream touches the file any more. */
  settled(): Promise<void>;
}

interface Waiter extends BlockRange {
  readonly priority: "demand" | "prefetch";
  resolve(): void;
  reject(cause: unknown): void;
}

interface Stream {
  /** First block that has not arrived whole. */
  next: number;
  /** Moves down when another stream takes over the rest. */
  end: number;
  receivedUpToBytes: number;
  readonly abort: AbortController;
}

/** Pieces up to this size are written without leaving the event loop: the copy is cheaper than the hand-over. */
const maxSyncWriteBytes = 128 * 1024;

/** Present blocks between two missing runs that are cheaper to fetch again than to open another stream for. */
const mergeGapBytes = 64 * 1024;

/** The one implementation: the cache makes one for each chunk that somebody waits for. */
export function createChunkFetch(chunkIndex: number, chunk: BlockRange, host: FetchHost): ChunkFetch {
  return new FetchOfChunk(chunkIndex, chunk, host);
}

class FetchOfChunk implements ChunkFetch {
  readonly #chunkIndex: number;
  readonly #chunk: BlockRange;
  readonly #host: FetchHost;
  readonly #source: StreamedImage;
  readonly #file: SparseFile;
  readonly #blockBytes: number;
  readonly #arrivals: ChunkProgress;
  readonly #waiters = new Set<Waiter>();
  readonly #streams = new Set<Stream>();
  readonly #running = new Set<Promise<void>>();
  readonly #steppedBack = new Set<() => void>();
  #filling = false;
  #failed = false;
  #zerosMarked = false;

  constructor(chunkIndex: number, chunk: BlockRange, host: FetchHost) {
    this.#chunkIndex = chunkIndex;
    this.#chunk = chunk;
    this.#host = host;
    this.#source = host.source;
    this.#file = host.file;
    this.#blockBytes = host.source.blockSizeBytes;
    this.#arrivals = createChunkProgress(host.presence, chunk);
  }

  #offsetOf(block: number): number {
    return Math.min(block * this.#blockBytes, this.#source.sizeBytes);
  }

  #markZeroExtents(): void {
    this.#zerosMarked = true;
    const start = this.#offsetOf(this.#chunk.startBlock);
    const extents = this.#source.extents({
      offsetBytes: start,
      lengthBytes: this.#offsetOf(this.#chunk.endBlock) - start,
    });
    for (const { kind, offsetBytes, lengthBytes } of extents) {
      if (kind === "data") continue;
      const end = offsetBytes + lengthBytes;
      const endBlock =
        end === this.#source.sizeBytes ? this.#chunk.endBlock : Math.floor(end / this.#blockBytes);
      const startBlock = Math.ceil(offsetBytes / this.#blockBytes);
      // the cache file was born as a hole and only fetched bytes are written, so zeros are there already
      if (startBlock < endBlock) this.#arrivals.mark(startBlock, endBlock);
    }
  }

  wait(run: BlockRange, { signal, priority }: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        if (priority === "demand") this.#host.noteBlocked(-1);
        signal?.removeEventListener("abort", giveUp);
      };
      const giveUp = () => {
        leave();
        reject(signal?.reason);
        this.#endIfIdle();
      };
      const waiter: Waiter = {
        ...run,
        priority,
        resolve() {
          leave();
          resolve();
        },
        reject(cause) {
          leave();
          reject(cause);
        },
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#waiters.add(waiter);
      if (priority === "demand") {
        this.#host.noteBlocked(1);
        this.#callBack();
        if (!this.#filling) this.#filling = this.#host.takeFillSlot(this.#chunkIndex);
      }
      this.#attempt(() => this.#schedule());
    });
  }

  /** Runs what must end in `fail` if it throws, so that no waiter is left asleep. */
  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Sees to it that every waiter's blocks are on their way, then that the chunk fills. */
  #schedule(): void {
    if (!this.#zerosMarked) this.#markZeroExtents();
    this.#release();
    for (const waiter of this.#waiters) this.#bring(waiter);
    if (this.#filling && this.#streams.size === 0) this.#fillOn();
    this.#endIfIdle();
  }

  #fillOn(): void {
    const missing = this.#arrivals.nextAbsent(this.#chunk.startBlock, this.#chunk.endBlock);
    if (missing < this.#chunk.endBlock) {
      this.#open(missing, this.#fillEnd(missing));
      return;
    }
    this.#filling = false;
    this.#host.releaseFillSlot();
  }

  #bring(waiter: Waiter): void {
    let block = waiter.startBlock;
    for (;;) {
      block = this.#arrivals.nextAbsent(block, waiter.endBlock);
      if (block >= waiter.endBlock) return;
      const covering = this.#streamOver(block);
      const mayOpen = this.#streams.size === 0 || this.#streams.size < this.#host.maxStreams;
      if (covering === undefined) {
        if (!mayOpen) return;
        this.#open(
          block,
          this.#filling && waiter.priority === "demand"
            ? this.#fillEnd(block)
            : this.#demandEnd(block, waiter),
        );
      } else if (block - covering.next > this.#host.joinBlocks && mayOpen && waiter.priority === "demand") {
        const end = covering.end;
        covering.end = block;
        this.#open(block, end);
      }
      block = this.#streamOver(block)?.end ?? waiter.endBlock;
    }
  }

  #streamOver(block: number): Stream | undefined {
    for (const stream of this.#streams) if (block >= stream.next && block < stream.end) return stream;
    return undefined;
  }

  /** Where a stream that fills the chunk from `block` on ends: at a long present run or where another stream starts. */
  #fillEnd(block: number): number {
    const limit = this.#nextStreamStart(block, this.#chunk.endBlock);
    let end = this.#arrivals.nextPresent(block, limit);
    while (end < limit) {
      const resume = this.#arrivals.nextAbsent(end, limit);
      if (resume === limit || (resume - end) * this.#blockBytes >= mergeGapBytes) break;
      end = this.#arrivals.nextPresent(resume, limit);
    }
    return end;
  }

  #demandEnd(block: number, waiter: BlockRange): number {
    const windowEnd = Math.ceil((block + 1) / this.#host.demandBlocks) * this.#host.demandBlocks;
    const limit = this.#nextStreamStart(
      block,
      Math.min(this.#chunk.endBlock, Math.max(windowEnd, waiter.endBlock)),
    );
    return this.#arrivals.nextPresent(block, limit);
  }

  #nextStreamStart(block: number, limit: number): number {
    let start = limit;
    for (const stream of this.#streams) if (stream.next > block && stream.next < start) start = stream.next;
    return start;
  }

  #open(start: number, end: number): void {
    const stream: Stream = {
      next: start,
      end,
      receivedUpToBytes: this.#offsetOf(start),
      abort: new AbortController(),
    };
    this.#streams.add(stream);
    const done = this.#receive(stream).then(
      () => {
        this.#running.delete(done);
        this.#streams.delete(stream);
        if (!this.#failed) this.#attempt(() => this.#schedule());
      },
      (error: unknown) => {
        this.#running.delete(done);
        this.#streams.delete(stream);
        // a stream that was told to stop has nothing to report
        if (stream.next < stream.end) this.fail(error);
        else if (!this.#failed) this.#attempt(() => this.#schedule());
      },
    );
    this.#running.add(done);
  }

  async #receive(stream: Stream): Promise<void> {
    this.#preallocate(stream);
    const start = stream.receivedUpToBytes;
    const expectedEnd = this.#offsetOf(stream.end);
    const range = { offsetBytes: start, lengthBytes: expectedEnd - start };
    try {
      for await (const piece of pieces(
        this.#source.stream(range, stream.abort.signal),
        stream.abort.signal,
      )) {
        if (stream.receivedUpToBytes + piece.length > expectedEnd)
          throw wrongLength("go on after", expectedEnd);
        await this.#store(stream, piece);
        if (stream.next >= stream.end) return;
        await this.#takeTurn();
      }
    } finally {
      stream.abort.abort(new KeyframeError("closed", "the rest of this stream is not needed"));
    }
    throw wrongLength(`end at ${stream.receivedUpToBytes}, before`, expectedEnd);
  }

  #preallocate(stream: Stream): void {
    const offsetBytes = this.#offsetOf(stream.next);
    const extents = this.#source.extents({
      offsetBytes,
      lengthBytes: this.#offsetOf(stream.end) - offsetBytes,
    });
    for (const extent of extents) {
      if (extent.kind === "data" && extent.lengthBytes >= mergeGapBytes && !this.#file.preallocate(extent))
        return;
    }
  }

  async #store(stream: Stream, piece: Buffer): Promise<void> {
    if (piece.length <= maxSyncWriteBytes) this.#file.writeSync(piece, stream.receivedUpToBytes);
    else await this.#file.write(piece, stream.receivedUpToBytes);
    if (this.#failed) return;
    stream.receivedUpToBytes += piece.length;
    const reachedEnd = stream.receivedUpToBytes === this.#source.sizeBytes;
    const end = reachedEnd ? this.#chunk.endBlock : Math.floor(stream.receivedUpToBytes / this.#blockBytes);
    // nothing is awaited from here on: bytes, then bits, then the readers
    this.#arrivals.mark(stream.next, end);
    stream.next = end;
    this.#host.noteArrived(piece.length);
    this.#release();
  }

  #release(): void {
    for (const waiter of this.#waiters) {
      if (this.#arrivals.hasAll(waiter.startBlock, waiter.endBlock)) waiter.resolve();
    }
  }

  /** What nobody waits for steps back while readers elsewhere are blocked, until one of this chunk is. */
  async #takeTurn(): Promise<void> {
    while (!this.#isUrgent()) {
      const nobodyIsBlocked = this.#host.whenNobodyIsBlocked();
      if (nobodyIsBlocked === undefined) return;
      await Promise.race([nobodyIsBlocked, new Promise<void>((resolve) => this.#steppedBack.add(resolve))]);
    }
  }

  #callBack(): void {
    for (const resume of this.#steppedBack) resume();
    this.#steppedBack.clear();
  }

  #isUrgent(): boolean {
    if (this.#filling || this.#failed) return true;
    for (const waiter of this.#waiters) if (waiter.priority === "demand") return true;
    return false;
  }

  fail(cause: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#callBack();
    for (const stream of this.#streams) stream.abort.abort(cause);
    for (const waiter of this.#waiters) waiter.reject(cause);
    if (this.#filling) this.#host.releaseFillSlot();
    this.#filling = false;
    // from here on a reader that comes finds no fetch and starts one of its own
    this.#host.ended(this.#chunkIndex);
  }

  #endIfIdle(): void {
    if (this.#failed || this.#filling || this.#streams.size > 0 || this.#waiters.size > 0) return;
    if (!this.#arrivals.holdsMoreThanPresence()) this.#host.ended(this.#chunkIndex);
  }

  fill(): void {
    this.#filling = true;
    this.#callBack();
    this.#attempt(() => this.#schedule());
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}

function wrongLength(what: string, expectedEnd: number): KeyframeError {
  return new KeyframeError("damaged", `the image's bytes ${what} the expected end at ${expectedEnd}`, {
    hint: "verify the image where it is stored, then read again",
  });
}
