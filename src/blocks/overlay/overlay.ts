import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { OpenSparseFile, SparseFile } from "../../system/files/sparse-file.ts";
import { checkGeometry, clippedLength, type RandomAccessImage } from "../random-access-image.ts";
import type { ByteRange, ImageExtent } from "../streamed-image.ts";
import { checkInside, type WritableDisk, type WriteZeroesOptions } from "../writable-disk.ts";
import { createBlockStates } from "./block-states.ts";
import { type DirtyBlock, exportDirtyBlocks } from "./dirty-blocks.ts";
import type { OverlayMapHeader } from "./map.ts";
import { type OverlayMapFile, openOverlayMap } from "./map-file.ts";
import { createWriteOrder } from "./write-order.ts";

export interface OverlayOptions {
  /** Made if it is absent; holds `data` and `map`. */
  readonly folder: string;
  readonly parent: RandomAccessImage;
  /** 32 bytes that name the content of the parent; an overlay is refused over any other. */
  readonly parentId: Buffer;
  /** Refuse writes from the start, as `freeze` does. */
  readonly readOnly?: boolean;
}

export interface OverlaySystem {
  readonly files: Files;
  readonly openSparseFile: OpenSparseFile;
}

/** A disk whose writes go to a directory while the image below stays as it is. */
export interface Overlay extends WritableDisk {
  /** Flushes and refuses writes from then on; reads go on. Another overlay can take this one as its parent. */
  freeze(): Promise<void>;
  /**
   * Every block that differs from the parent, in order; needs a frozen overlay. Blocks that were written and are
   * equal to the parent again are left out. Data is valid until the next block is taken.
   */
  dirtyBlocks(signal?: AbortSignal): AsyncIterable<DirtyBlock>;
  /** Blocks that were ever written, trimmed or zeroed: an upper bound of what an export yields. */
  heldBlocks(): number;
  /** Puts another image with the same content below (as after an export of the old parent). The caller closes the old one. */
  rebase(parent: RandomAccessImage, parentId: Buffer): Promise<void>;
}

/** Writes up to this size do not leave the event loop. */
const maxSyncWriteBytes = 128 * 1024;
const zeroPiece = Buffer.alloc(1024 * 1024);
/** A map that has grown past this and past four times its content is rewritten. */
const minRewriteBytes = 1024 * 1024;

/** Owns the parent and closes it. */
export async function openOverlay(options: OverlayOptions, system: OverlaySystem): Promise<Overlay> {
  checkGeometry(options.parent);
  const { sizeBytes, blockSizeBytes } = options.parent;
  const header = { sizeBytes, blockSizeBytes, parentId: options.parentId };
  const overlay = new OverlayInDirectory(options, header, openFiles(options.folder, header, system));
  await overlay.tidyMap();
  return overlay;
}

class OverlayInDirectory implements Overlay {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly #folder: string;
  readonly #sizeBlocks: number;
  readonly #file: SparseFile;
  readonly #map: OverlayMapFile;
  readonly #states: ReturnType<typeof createBlockStates>;
  readonly #order = createWriteOrder();
  #parent: RandomAccessImage;
  #header: OverlayMapHeader;
  #readOnly: boolean;
  #unsyncedData = false;
  #syncFailed: unknown;
  #flushing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: OverlayOptions, header: OverlayMapHeader, { file, map }: OverlayFiles) {
    this.sizeBytes = header.sizeBytes;
    this.blockSizeBytes = header.blockSizeBytes;
    this.#folder = options.folder;
    this.#sizeBlocks = Math.ceil(header.sizeBytes / header.blockSizeBytes);
    this.#file = file;
    this.#map = map;
    this.#states = createBlockStates(this.#sizeBlocks, map.runs);
    this.#parent = options.parent;
    this.#header = header;
    this.#readOnly = options.readOnly === true;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** Rewrites a map that ends torn, or that has grown far past its content. */
  async tidyMap(): Promise<void> {
    const { tornBytes } = this.#map;
    if (tornBytes === 0 && this.#map.sizeBytes() <= minRewriteBytes) return;
    const runs = [...this.#states.heldRuns()];
    if (tornBytes > 0 || this.#map.sizeBytes() > 4 * 12 * runs.length)
      await this.#map.rewrite(this.#header, runs);
  }

  read(into: Buffer, offsetBytes: number, signal?: AbortSignal): number | Promise<number> {
    const lengthBytes = clippedLength(offsetBytes, into.length, this.sizeBytes);
    this.#mustBeOpen();
    if (lengthBytes === 0) return 0;
    const end = offsetBytes + lengthBytes;
    const endBlock = Math.ceil(end / this.blockSizeBytes);
    let waiting: Promise<void>[] | undefined;
    let position = offsetBytes;
    while (position < end) {
      const run = this.#states.runAt(Math.floor(position / this.blockSizeBytes), endBlock);
      const runEnd = Math.min(end, run.endBlock * this.blockSizeBytes);
      const whole = position === offsetBytes && runEnd === end && lengthBytes === into.length;
      const target = whole ? into : into.subarray(position - offsetBytes, runEnd - offsetBytes);
      if (run.state === "data") this.#mustFill(this.#file.readSync(target, position), target);
      else if (run.state === "zero") target.fill(0);
      else {
        const count = this.#parent.read(target, position, signal);
        if (typeof count === "number") this.#mustFill(count, target);
        else {
          waiting ??= [];
          waiting.push(count.then((later) => this.#mustFill(later, target)));
        }
      }
      position = runEnd;
    }
    return waiting === undefined ? lengthBytes : Promise.all(waiting).then(() => lengthBytes);
  }

  #mustFill(count: number, target: Buffer): void {
    if (count === target.length) return;
    throw new KeyframeError("damaged", `the overlay in ${this.#folder} is shorter than its disk`);
  }

  write(from: Buffer, offsetBytes: number): void | Promise<void> {
    this.#mustBeWritable({ offsetBytes, lengthBytes: from.length });
    if (from.length === 0) return;
    const blocks = this.#blocksOver(offsetBytes, from.length);
    return this.#order.run(blocks, () => {
      const end = offsetBytes + from.length;
      const head = this.#mustCompose(blocks.startBlock, offsetBytes, end);
      const tail = this.#mustCompose(blocks.endBlock - 1, offsetBytes, end);
      if (!head && !tail) return this.#store(from, offsetBytes);
      return this.#compose(from, offsetBytes, { head, tail });
    });
  }

  /** True if a write of `[offset, end)` covers only a part of the block and the file does not hold the rest. */
  #mustCompose(block: number, offsetBytes: number, end: number): boolean {
    const covered =
      offsetBytes <= block * this.blockSizeBytes &&
      end >= Math.min((block + 1) * this.blockSizeBytes, this.sizeBytes);
    return !covered && this.#states.stateOf(block) !== "data";
  }

  /** Writes whole blocks: what `from` does not cover of the first and last comes from below. */
  async #compose(
    from: Buffer,
    offsetBytes: number,
    edges: { readonly head: boolean; readonly tail: boolean },
  ): Promise<void> {
    const { startBlock, endBlock } = this.#blocksOver(offsetBytes, from.length);
    const start = edges.head ? startBlock * this.blockSizeBytes : offsetBytes;
    const end = edges.tail
      ? Math.min(endBlock * this.blockSizeBytes, this.sizeBytes)
      : offsetBytes + from.length;
    const whole = Buffer.alloc(end - start);
    if (edges.head) await this.read(whole.subarray(0, Math.min(this.blockSizeBytes, whole.length)), start);
    const tailStart = (endBlock - 1) * this.blockSizeBytes;
    if (edges.tail && !(edges.head && endBlock - 1 === startBlock)) {
      await this.read(whole.subarray(tailStart - start), tailStart);
    }
    from.copy(whole, offsetBytes - start);
    await this.#store(whole, start);
  }

  /** Bytes first, then the state: a reader never sees a block that is not there yet. */
  #store(from: Buffer, offsetBytes: number): void | Promise<void> {
    const blocks = this.#blocksOver(offsetBytes, from.length);
    const stored = () => {
      this.#states.set(blocks, "data");
      this.#unsyncedData = true;
    };
    if (from.length > maxSyncWriteBytes) return this.#file.write(from, offsetBytes).then(stored);
    this.#file.writeSync(from, offsetBytes);
    stored();
  }

  writeZeroes(range: ByteRange, { keepAllocated = false }: WriteZeroesOptions = {}): void | Promise<void> {
    this.#mustBeWritable(range);
    if (range.lengthBytes === 0) return;
    const whole = this.#wholeBlocks(range);
    if (whole === undefined) return this.write(Buffer.alloc(range.lengthBytes), range.offsetBytes);
    const inner = this.#bytesOf(whole.startBlock, whole.endBlock);
    const zeroInner = () =>
      this.#order.run(whole, () => (keepAllocated ? this.#zeroInPlace(whole) : this.#dropBlocks(whole)));
    return inner.lengthBytes === range.lengthBytes
      ? zeroInner()
      : this.#zeroWithEdges(range, inner, zeroInner);
  }

  async #zeroWithEdges(
    range: ByteRange,
    inner: ByteRange,
    zeroInner: () => void | Promise<void>,
  ): Promise<void> {
    const innerEnd = inner.offsetBytes + inner.lengthBytes;
    await this.write(Buffer.alloc(inner.offsetBytes - range.offsetBytes), range.offsetBytes);
    await zeroInner();
    await this.write(Buffer.alloc(range.offsetBytes + range.lengthBytes - innerEnd), innerEnd);
  }

  trim(range: ByteRange): void | Promise<void> {
    this.#mustBeWritable(range);
    const whole = this.#wholeBlocks(range);
    return whole === undefined ? undefined : this.#order.run(whole, () => this.#dropBlocks(whole));
  }

  #dropBlocks(blocks: { readonly startBlock: number; readonly endBlock: number }): void {
    let block = blocks.startBlock;
    while (block < blocks.endBlock) {
      const run = this.#states.runAt(block, blocks.endBlock);
      // freeing is a courtesy: the state alone makes the blocks read as zeros
      if (run.state === "data") this.#file.punchHole(this.#bytesOf(block, run.endBlock));
      block = run.endBlock;
    }
    this.#states.set(blocks, "zero");
  }

  async #zeroInPlace(blocks: { readonly startBlock: number; readonly endBlock: number }): Promise<void> {
    const range = this.#bytesOf(blocks.startBlock, blocks.endBlock);
    if (!(this.#file.punchHole(range) && this.#file.preallocate(range))) {
      for (let done = 0; done < range.lengthBytes; done += zeroPiece.length) {
        const piece = zeroPiece.subarray(0, Math.min(zeroPiece.length, range.lengthBytes - done));
        await this.#file.write(piece, range.offsetBytes + done);
      }
    }
    this.#states.set(blocks, "data");
    this.#unsyncedData = true;
  }

  /** Flushes that come while one runs share the next: each must cover the writes before it. */
  async flush(): Promise<void> {
    const running = this.#flushing;
    if (running === undefined) return this.#startFlush();
    await running.catch(() => undefined);
    return this.#flushing ?? this.#startFlush();
  }

  #startFlush(): Promise<void> {
    const work = this.#flushNow().finally(() => {
      if (this.#flushing === work) this.#flushing = undefined;
    });
    this.#flushing = work;
    return work;
  }

  async #flushNow(): Promise<void> {
    // the kernel may forget pages that it failed to write, so a later success would be a lie
    if (this.#syncFailed !== undefined) throw this.#syncFailed;
    const runs = this.#states.takeUnsaved();
    const mustSync = this.#unsyncedData;
    this.#unsyncedData = false;
    try {
      fault("overlay:before-data-sync");
      if (mustSync) await this.#file.syncData().catch((error: unknown) => this.#rememberSyncFailure(error));
      fault("overlay:after-data-sync");
      if (runs.length > 0) await this.#map.append(runs);
    } catch (error) {
      this.#states.putBackUnsaved(runs);
      this.#unsyncedData ||= mustSync;
      throw error;
    }
  }

  #rememberSyncFailure(error: unknown): never {
    this.#syncFailed = error;
    throw error;
  }

  *extents(range: ByteRange): Generator<ImageExtent> {
    const end = range.offsetBytes + clippedLength(range.offsetBytes, range.lengthBytes, this.sizeBytes);
    const endBlock = Math.ceil(end / this.blockSizeBytes);
    let position = range.offsetBytes;
    while (position < end) {
      const run = this.#states.runAt(Math.floor(position / this.blockSizeBytes), endBlock);
      const runEnd = Math.min(end, run.endBlock * this.blockSizeBytes);
      const piece = { offsetBytes: position, lengthBytes: runEnd - position };
      if (run.state === "parent") yield* this.#parent.extents(piece);
      else yield { ...piece, kind: run.state };
      position = runEnd;
    }
  }

  async freeze(): Promise<void> {
    this.#readOnly = true;
    await this.#order.idle();
    await this.flush();
  }

  async rebase(newParent: RandomAccessImage, parentId: Buffer): Promise<void> {
    if (newParent.sizeBytes !== this.sizeBytes || newParent.blockSizeBytes !== this.blockSizeBytes) {
      throw new KeyframeError(
        "invalid-input",
        "an overlay can only move to an image of the same size and block size",
      );
    }
    await this.flush();
    this.#header = { ...this.#header, parentId };
    await this.#map.rewrite(this.#header, [...this.#states.heldRuns()]);
    this.#parent = newParent;
  }

  async #closeFiles(): Promise<void> {
    await this.#order.idle();
    try {
      await this.flush();
    } finally {
      await Promise.all([this.#file.close(), this.#map.close()]);
      await this.#parent.close();
    }
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined)
      throw new KeyframeError("closed", "the overlay was closed while it was in use");
  }

  #mustBeWritable(range: ByteRange): void {
    this.#mustBeOpen();
    if (this.#readOnly) throw new KeyframeError("refused", "this overlay is frozen");
    checkInside(range, this.sizeBytes);
  }

  #blocksOver(offsetBytes: number, lengthBytes: number) {
    return {
      startBlock: Math.floor(offsetBytes / this.blockSizeBytes),
      endBlock: Math.ceil((offsetBytes + lengthBytes) / this.blockSizeBytes),
    };
  }

  #wholeBlocks({ offsetBytes, lengthBytes }: ByteRange) {
    const end = offsetBytes + lengthBytes;
    const startBlock = Math.ceil(offsetBytes / this.blockSizeBytes);
    const endBlock = end === this.sizeBytes ? this.#sizeBlocks : Math.floor(end / this.blockSizeBytes);
    return startBlock < endBlock ? { startBlock, endBlock } : undefined;
  }

  #bytesOf(startBlock: number, endBlock: number): ByteRange {
    const offsetBytes = startBlock * this.blockSizeBytes;
    return {
      offsetBytes,
      lengthBytes: Math.min(endBlock * this.blockSizeBytes, this.sizeBytes) - offsetBytes,
    };
  }

  dirtyBlocks(signal?: AbortSignal): AsyncIterable<DirtyBlock> {
    if (!this.#readOnly)
      throw new KeyframeError("refused", "an overlay must be frozen before its blocks are exported");
    return exportDirtyBlocks({
      states: this.#states,
      parent: this.#parent,
      readData: (into, at) => this.#file.read(into, at),
      signal,
    });
  }

  heldBlocks(): number {
    return this.#states.countHeld();
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeFiles();
    return this.#closing;
  }
}

interface OverlayFiles {
  readonly file: SparseFile;
  readonly map: OverlayMapFile;
}

function openFiles(folder: string, header: OverlayMapHeader, system: OverlaySystem): OverlayFiles {
  const { files } = system;
  const mapPath = join(folder, "map");
  files.makeFolder(folder, { mode: 0o700 });
  const file = system.openSparseFile(join(folder, "data"), { mode: "create" });
  try {
    if (!file.tryLock()) {
      throw new KeyframeError("lock-busy", `the overlay in ${folder} is in use by another process`, {
        hint: "stop the other server first",
      });
    }
    const exists = files.statIfExists(mapPath) !== undefined;
    if (!exists && file.allocatedBytes() > 0) {
      throw new KeyframeError("damaged", `the overlay in ${folder} has data and no map`, {
        hint: "restore its map file, or start a new overlay in another directory",
      });
    }
    if (file.sizeBytes() < header.sizeBytes) file.truncate(header.sizeBytes);
    fault("overlay:before-map-create");
    return { file, map: openOverlayMap(mapPath, { header, create: !exists }, system) };
  } catch (error) {
    file.closeSync();
    throw error;
  }
}
