import { KeyframeError } from "../../base/errors.ts";
import type { SparseFile } from "../../system/files/sparse-file.ts";
import type { StreamedImage } from "../streamed-image.ts";
import { type BlockRange, createChunkProgress } from "./chunk-progress.ts";
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
  /** Answers true if this chunk may be filled now; else it is remembered and `fill` is called when it may. */
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

export function createChunkFetch(chunkIndex: number, chunk: BlockRange, host: FetchHost): ChunkFetch {
  const { source, file } = host;
  const blockBytes = source.blockSizeBytes;
  const offsetOf = (block: number) => Math.min(block * blockBytes, source.sizeBytes);
  const arrivals = createChunkProgress(host.presence, chunk);
  const waiters = new Set<Waiter>();
  const streams = new Set<Stream>();
  const running = new Set<Promise<void>>();
  const steppedBack = new Set<() => void>();
  let filling = false;
  let failed = false;
  let zerosMarked = false;

  function markZeroExtents(): void {
    zerosMarked = true;
    const start = offsetOf(chunk.startBlock);
    const extents = source.extents({ offsetBytes: start, lengthBytes: offsetOf(chunk.endBlock) - start });
    for (const { kind, offsetBytes, lengthBytes } of extents) {
      if (kind === "data") continue;
      const end = offsetBytes + lengthBytes;
      const endBlock = end === source.sizeBytes ? chunk.endBlock : Math.floor(end / blockBytes);
      const startBlock = Math.ceil(offsetBytes / blockBytes);
      // the cache file was born as a hole and only fetched bytes are written, so zeros are there already
      if (startBlock < endBlock) arrivals.mark(startBlock, endBlock);
    }
  }

  function wait(run: BlockRange, { signal, priority }: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiters.delete(waiter);
        if (priority === "demand") host.noteBlocked(-1);
        signal?.removeEventListener("abort", giveUp);
      };
      const giveUp = () => {
        leave();
        reject(signal?.reason);
        endIfIdle();
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
      waiters.add(waiter);
      if (priority === "demand") {
        host.noteBlocked(1);
        callBack();
        if (!filling) filling = host.takeFillSlot(chunkIndex);
      }
      attempt(schedule);
    });
  }

  /** Runs what must end in `fail` if it throws, so that no waiter is left asleep. */
  function attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      fail(error);
    }
  }

  /** Sees to it that every waiter's blocks are on their way, then that the chunk fills. */
  function schedule(): void {
    if (!zerosMarked) markZeroExtents();
    release();
    for (const waiter of waiters) bring(waiter);
    if (filling && streams.size === 0) fillOn();
    endIfIdle();
  }

  function fillOn(): void {
    const missing = arrivals.nextAbsent(chunk.startBlock, chunk.endBlock);
    if (missing < chunk.endBlock) {
      open(missing, fillEnd(missing));
      return;
    }
    filling = false;
    host.releaseFillSlot();
  }

  function bring(waiter: Waiter): void {
    let block = waiter.startBlock;
    for (;;) {
      block = arrivals.nextAbsent(block, waiter.endBlock);
      if (block >= waiter.endBlock) return;
      const covering = streamOver(block);
      const mayOpen = streams.size === 0 || streams.size < host.maxStreams;
      if (covering === undefined) {
        if (!mayOpen) return;
        open(block, filling && waiter.priority === "demand" ? fillEnd(block) : demandEnd(block, waiter));
      } else if (block - covering.next > host.joinBlocks && mayOpen && waiter.priority === "demand") {
        const end = covering.end;
        covering.end = block;
        open(block, end);
      }
      block = streamOver(block)?.end ?? waiter.endBlock;
    }
  }

  function streamOver(block: number): Stream | undefined {
    for (const stream of streams) if (block >= stream.next && block < stream.end) return stream;
    return undefined;
  }

  /** Where a stream that fills the chunk from `block` on ends: at a long present run or where another stream starts. */
  function fillEnd(block: number): number {
    const limit = nextStreamStart(block, chunk.endBlock);
    let end = arrivals.nextPresent(block, limit);
    while (end < limit) {
      const resume = arrivals.nextAbsent(end, limit);
      if (resume === limit || (resume - end) * blockBytes >= mergeGapBytes) break;
      end = arrivals.nextPresent(resume, limit);
    }
    return end;
  }

  function demandEnd(block: number, waiter: BlockRange): number {
    const windowEnd = Math.ceil((block + 1) / host.demandBlocks) * host.demandBlocks;
    const limit = nextStreamStart(block, Math.min(chunk.endBlock, Math.max(windowEnd, waiter.endBlock)));
    return arrivals.nextPresent(block, limit);
  }

  function nextStreamStart(block: number, limit: number): number {
    let start = limit;
    for (const stream of streams) if (stream.next > block && stream.next < start) start = stream.next;
    return start;
  }

  function open(start: number, end: number): void {
    const stream: Stream = {
      next: start,
      end,
      receivedUpToBytes: offsetOf(start),
      abort: new AbortController(),
    };
    streams.add(stream);
    const done = receive(stream).then(
      () => {
        running.delete(done);
        streams.delete(stream);
        if (!failed) attempt(schedule);
      },
      (error: unknown) => {
        running.delete(done);
        streams.delete(stream);
        // a stream that was told to stop has nothing to report
        if (stream.next < stream.end) fail(error);
        else if (!failed) attempt(schedule);
      },
    );
    running.add(done);
  }

  async function receive(stream: Stream): Promise<void> {
    preallocate(stream);
    const start = stream.receivedUpToBytes;
    const expectedEnd = offsetOf(stream.end);
    const range = { offsetBytes: start, lengthBytes: expectedEnd - start };
    try {
      for await (const piece of pieces(source.stream(range, stream.abort.signal), stream.abort.signal)) {
        if (stream.receivedUpToBytes + piece.length > expectedEnd)
          throw wrongLength("go on after", expectedEnd);
        await store(stream, piece);
        if (stream.next >= stream.end) return;
        await takeTurn();
      }
    } finally {
      stream.abort.abort(new KeyframeError("closed", "the rest of this stream is not needed"));
    }
    throw wrongLength(`end at ${stream.receivedUpToBytes}, before`, expectedEnd);
  }

  function preallocate(stream: Stream): void {
    const offsetBytes = offsetOf(stream.next);
    const extents = source.extents({ offsetBytes, lengthBytes: offsetOf(stream.end) - offsetBytes });
    for (const extent of extents) {
      if (extent.kind === "data" && extent.lengthBytes >= mergeGapBytes && !file.preallocate(extent)) return;
    }
  }

  async function store(stream: Stream, piece: Buffer): Promise<void> {
    if (piece.length <= maxSyncWriteBytes) file.writeSync(piece, stream.receivedUpToBytes);
    else await file.write(piece, stream.receivedUpToBytes);
    if (failed) return;
    stream.receivedUpToBytes += piece.length;
    const reachedEnd = stream.receivedUpToBytes === source.sizeBytes;
    const end = reachedEnd ? chunk.endBlock : Math.floor(stream.receivedUpToBytes / blockBytes);
    // nothing is awaited from here on: bytes, then bits, then the readers
    arrivals.mark(stream.next, end);
    stream.next = end;
    host.noteArrived(piece.length);
    release();
  }

  function release(): void {
    for (const waiter of waiters) {
      if (arrivals.hasAll(waiter.startBlock, waiter.endBlock)) waiter.resolve();
    }
  }

  /** What nobody waits for steps back while readers elsewhere are blocked, until one of this chunk is. */
  async function takeTurn(): Promise<void> {
    while (!isUrgent()) {
      const nobodyIsBlocked = host.whenNobodyIsBlocked();
      if (nobodyIsBlocked === undefined) return;
      await Promise.race([nobodyIsBlocked, new Promise<void>((resolve) => steppedBack.add(resolve))]);
    }
  }

  function callBack(): void {
    for (const resume of steppedBack) resume();
    steppedBack.clear();
  }

  function isUrgent(): boolean {
    if (filling || failed) return true;
    for (const waiter of waiters) if (waiter.priority === "demand") return true;
    return false;
  }

  function fail(cause: unknown): void {
    if (failed) return;
    failed = true;
    callBack();
    for (const stream of streams) stream.abort.abort(cause);
    for (const waiter of waiters) waiter.reject(cause);
    if (filling) host.releaseFillSlot();
    filling = false;
    // from here on a reader that comes finds no fetch and starts one of its own
    host.ended(chunkIndex);
  }

  function endIfIdle(): void {
    if (failed || filling || streams.size > 0 || waiters.size > 0) return;
    if (!arrivals.holdsMoreThanPresence()) host.ended(chunkIndex);
  }

  return {
    wait,
    fill() {
      filling = true;
      callBack();
      attempt(schedule);
    },
    fail,
    async settled() {
      while (running.size > 0) await Promise.allSettled(running);
    },
  };
}

function wrongLength(what: string, expectedEnd: number): KeyframeError {
  return new KeyframeError("damaged", `the image's bytes ${what} the expected end at ${expectedEnd}`, {
    hint: "verify the image where it is stored, then read again",
  });
}
