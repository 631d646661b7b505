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

/** A disk whose writes go to a folder while the image below stays as it is. */
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
  let { parent } = options;
  const { sizeBytes, blockSizeBytes } = parent;
  checkGeometry(parent);
  const sizeBlocks = Math.ceil(sizeBytes / blockSizeBytes);
  let header: OverlayMapHeader = { sizeBytes, blockSizeBytes, parentId: options.parentId };
  const { file, map } = openFiles(options.folder, header, system);
  const states = createBlockStates(sizeBlocks, map.runs);
  const order = createWriteOrder();
  let readOnly = options.readOnly === true;
  let unsyncedData = false;
  let syncFailed: unknown;
  let flushing: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  if (map.tornBytes > 0 || map.sizeBytes() > minRewriteBytes) await rewriteIfWorthIt();

  async function rewriteIfWorthIt(): Promise<void> {
    const runs = [...states.heldRuns()];
    if (map.tornBytes > 0 || map.sizeBytes() > 4 * 12 * runs.length) await map.rewrite(header, runs);
  }

  function read(into: Buffer, offsetBytes: number, signal?: AbortSignal): number | Promise<number> {
    const lengthBytes = clippedLength(offsetBytes, into.length, sizeBytes);
    mustBeOpen();
    if (lengthBytes === 0) return 0;
    const end = offsetBytes + lengthBytes;
    const endBlock = Math.ceil(end / blockSizeBytes);
    let waiting: Promise<void>[] | undefined;
    let position = offsetBytes;
    while (position < end) {
      const run = states.runAt(Math.floor(position / blockSizeBytes), endBlock);
      const runEnd = Math.min(end, run.endBlock * blockSizeBytes);
      const whole = position === offsetBytes && runEnd === end && lengthBytes === into.length;
      const target = whole ? into : into.subarray(position - offsetBytes, runEnd - offsetBytes);
      if (run.state === "data") mustFill(file.readSync(target, position), target);
      else if (run.state === "zero") target.fill(0);
      else {
        const count = parent.read(target, position, signal);
        if (typeof count === "number") mustFill(count, target);
        else {
          waiting ??= [];
          waiting.push(count.then((later) => mustFill(later, target)));
        }
      }
      position = runEnd;
    }
    return waiting === undefined ? lengthBytes : Promise.all(waiting).then(() => lengthBytes);
  }

  function mustFill(count: number, target: Buffer): void {
    if (count === target.length) return;
    throw new KeyframeError("damaged", `the overlay in ${options.folder} is shorter than its disk`);
  }

  function write(from: Buffer, offsetBytes: number): void | Promise<void> {
    mustBeWritable({ offsetBytes, lengthBytes: from.length });
    if (from.length === 0) return;
    const blocks = blocksOver(offsetBytes, from.length);
    return order.run(blocks, () => {
      const end = offsetBytes + from.length;
      const head = mustCompose(blocks.startBlock, offsetBytes, end);
      const tail = mustCompose(blocks.endBlock - 1, offsetBytes, end);
      if (!head && !tail) return store(from, offsetBytes);
      return compose(from, offsetBytes, { head, tail });
    });
  }

  /** True if a write of `[offset, end)` covers only a part of the block and the file does not hold the rest. */
  function mustCompose(block: number, offsetBytes: number, end: number): boolean {
    const covered =
      offsetBytes <= block * blockSizeBytes && end >= Math.min((block + 1) * blockSizeBytes, sizeBytes);
    return !covered && states.stateOf(block) !== "data";
  }

  /** Writes whole blocks: what `from` does not cover of the first and last comes from below. */
  async function compose(
    from: Buffer,
    offsetBytes: number,
    edges: { readonly head: boolean; readonly tail: boolean },
  ): Promise<void> {
    const { startBlock, endBlock } = blocksOver(offsetBytes, from.length);
    const start = edges.head ? startBlock * blockSizeBytes : offsetBytes;
    const end = edges.tail ? Math.min(endBlock * blockSizeBytes, sizeBytes) : offsetBytes + from.length;
    const whole = Buffer.alloc(end - start);
    if (edges.head) await read(whole.subarray(0, Math.min(blockSizeBytes, whole.length)), start);
    const tailStart = (endBlock - 1) * blockSizeBytes;
    if (edges.tail && !(edges.head && endBlock - 1 === startBlock)) {
      await read(whole.subarray(tailStart - start), tailStart);
    }
    from.copy(whole, offsetBytes - start);
    await store(whole, start);
  }

  /** Bytes first, then the state: a reader never sees a block that is not there yet. */
  function store(from: Buffer, offsetBytes: number): void | Promise<void> {
    const blocks = blocksOver(offsetBytes, from.length);
    const stored = () => {
      states.set(blocks, "data");
      unsyncedData = true;
    };
    if (from.length > maxSyncWriteBytes) return file.write(from, offsetBytes).then(stored);
    file.writeSync(from, offsetBytes);
    stored();
  }

  function writeZeroes(
    range: ByteRange,
    { keepAllocated = false }: WriteZeroesOptions = {},
  ): void | Promise<void> {
    mustBeWritable(range);
    if (range.lengthBytes === 0) return;
    const whole = wholeBlocks(range);
    if (whole === undefined) return write(Buffer.alloc(range.lengthBytes), range.offsetBytes);
    const inner = bytesOf(whole.startBlock, whole.endBlock);
    const zeroInner = () => order.run(whole, () => (keepAllocated ? zeroInPlace(whole) : dropBlocks(whole)));
    return inner.lengthBytes === range.lengthBytes ? zeroInner() : zeroWithEdges(range, inner, zeroInner);
  }

  async function zeroWithEdges(
    range: ByteRange,
    inner: ByteRange,
    zeroInner: () => void | Promise<void>,
  ): Promise<void> {
    const innerEnd = inner.offsetBytes + inner.lengthBytes;
    await write(Buffer.alloc(inner.offsetBytes - range.offsetBytes), range.offsetBytes);
    await zeroInner();
    await write(Buffer.alloc(range.offsetBytes + range.lengthBytes - innerEnd), innerEnd);
  }

  function trim(range: ByteRange): void | Promise<void> {
    mustBeWritable(range);
    const whole = wholeBlocks(range);
    return whole === undefined ? undefined : order.run(whole, () => dropBlocks(whole));
  }

  function dropBlocks(blocks: { readonly startBlock: number; readonly endBlock: number }): void {
    let block = blocks.startBlock;
    while (block < blocks.endBlock) {
      const run = states.runAt(block, blocks.endBlock);
      // freeing is a courtesy: the state alone makes the blocks read as zeros
      if (run.state === "data") file.punchHole(bytesOf(block, run.endBlock));
      block = run.endBlock;
    }
    states.set(blocks, "zero");
  }

  async function zeroInPlace(blocks: {
    readonly startBlock: number;
    readonly endBlock: number;
  }): Promise<void> {
    const range = bytesOf(blocks.startBlock, blocks.endBlock);
    if (!(file.punchHole(range) && file.preallocate(range))) {
      for (let done = 0; done < range.lengthBytes; done += zeroPiece.length) {
        const piece = zeroPiece.subarray(0, Math.min(zeroPiece.length, range.lengthBytes - done));
        await file.write(piece, range.offsetBytes + done);
      }
    }
    states.set(blocks, "data");
    unsyncedData = true;
  }

  /** Flushes that come while one runs share the next: each must cover the writes before it. */
  async function flush(): Promise<void> {
    const running = flushing;
    if (running === undefined) return startFlush();
    await running.catch(() => undefined);
    return flushing ?? startFlush();
  }

  function startFlush(): Promise<void> {
    const work = flushNow().finally(() => {
      if (flushing === work) flushing = undefined;
    });
    flushing = work;
    return work;
  }

  async function flushNow(): Promise<void> {
    // the kernel may forget pages that it failed to write, so a later success would be a lie
    if (syncFailed !== undefined) throw syncFailed;
    const runs = states.takeUnsaved();
    const mustSync = unsyncedData;
    unsyncedData = false;
    try {
      fault("overlay:before-data-sync");
      if (mustSync) await file.syncData().catch(rememberSyncFailure);
      fault("overlay:after-data-sync");
      if (runs.length > 0) await map.append(runs);
    } catch (error) {
      states.putBackUnsaved(runs);
      unsyncedData ||= mustSync;
      throw error;
    }
  }

  function rememberSyncFailure(error: unknown): never {
    syncFailed = error;
    throw error;
  }

  function* extents(range: ByteRange): Generator<ImageExtent> {
    const end = range.offsetBytes + clippedLength(range.offsetBytes, range.lengthBytes, sizeBytes);
    const endBlock = Math.ceil(end / blockSizeBytes);
    let position = range.offsetBytes;
    while (position < end) {
      const run = states.runAt(Math.floor(position / blockSizeBytes), endBlock);
      const runEnd = Math.min(end, run.endBlock * blockSizeBytes);
      const piece = { offsetBytes: position, lengthBytes: runEnd - position };
      if (run.state === "parent") yield* parent.extents(piece);
      else yield { ...piece, kind: run.state };
      position = runEnd;
    }
  }

  async function freeze(): Promise<void> {
    readOnly = true;
    await order.idle();
    await flush();
  }

  async function rebase(newParent: RandomAccessImage, parentId: Buffer): Promise<void> {
    if (newParent.sizeBytes !== sizeBytes || newParent.blockSizeBytes !== blockSizeBytes) {
      throw new KeyframeError(
        "invalid-input",
        "an overlay can only move to an image of the same size and block size",
      );
    }
    await flush();
    header = { ...header, parentId };
    await map.rewrite(header, [...states.heldRuns()]);
    parent = newParent;
  }

  async function close(): Promise<void> {
    await order.idle();
    try {
      await flush();
    } finally {
      await Promise.all([file.close(), map.close()]);
      await parent.close();
    }
  }

  function mustBeOpen(): void {
    if (closing !== undefined)
      throw new KeyframeError("closed", "the overlay was closed while it was in use");
  }

  function mustBeWritable(range: ByteRange): void {
    mustBeOpen();
    if (readOnly) throw new KeyframeError("refused", "this overlay is frozen");
    checkInside(range, sizeBytes);
  }

  function blocksOver(offsetBytes: number, lengthBytes: number) {
    return {
      startBlock: Math.floor(offsetBytes / blockSizeBytes),
      endBlock: Math.ceil((offsetBytes + lengthBytes) / blockSizeBytes),
    };
  }

  function wholeBlocks({ offsetBytes, lengthBytes }: ByteRange) {
    const end = offsetBytes + lengthBytes;
    const startBlock = Math.ceil(offsetBytes / blockSizeBytes);
    const endBlock = end === sizeBytes ? sizeBlocks : Math.floor(end / blockSizeBytes);
    return startBlock < endBlock ? { startBlock, endBlock } : undefined;
  }

  function bytesOf(startBlock: number, endBlock: number): ByteRange {
    const offsetBytes = startBlock * blockSizeBytes;
    return { offsetBytes, lengthBytes: Math.min(endBlock * blockSizeBytes, sizeBytes) - offsetBytes };
  }

  return {
    sizeBytes,
    blockSizeBytes,
    get readOnly() {
      return readOnly;
    },
    read,
    write,
    writeZeroes,
    trim,
    flush,
    extents,
    freeze,
    dirtyBlocks(signal) {
      if (!readOnly)
        throw new KeyframeError("refused", "an overlay must be frozen before its blocks are exported");
      return exportDirtyBlocks({ states, parent, readData: (into, at) => file.read(into, at), signal });
    },
    heldBlocks: () => states.countHeld(),
    rebase,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function openFiles(
  folder: string,
  header: OverlayMapHeader,
  system: OverlaySystem,
): { readonly file: SparseFile; readonly map: OverlayMapFile } {
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
