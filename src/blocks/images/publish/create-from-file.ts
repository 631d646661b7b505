import { KeyframeError } from "../../../base/errors.ts";
import type { SparseFile } from "../../../system/files/sparse-file.ts";
import type { ImageName } from "../../ids.ts";
import { openImage } from "../read/layered-image.ts";
import type { FoundImage } from "../read/read-image.ts";
import type { ImageRepository } from "../repository/image-repository.ts";
import type { BlockWrite } from "./block-writes.ts";
import { type CommittedImage, commitBlocks } from "./commit-blocks.ts";

export interface CreateFromFileOptions {
  readonly blockSizeBytes: number;
  /** Only blocks that differ from it are stored. */
  readonly parent?: FoundImage | undefined;
  readonly name?: ImageName | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
  /** Bytes of the file looked at, holes included. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

const pieceBytes = 1024 * 1024;

/** Makes an image of a file that nobody writes to meanwhile. Holes are not read; a file that changes is `refused`. */
export async function createFromFile(
  repository: ImageRepository,
  path: string,
  options: CreateFromFileOptions,
): Promise<CommittedImage> {
  const { blockSizeBytes, parent, name, labels, signal } = options;
  const stat = repository.files.statTargetIfExists(path);
  if (stat !== undefined && stat.kind !== "file") {
    throw new KeyframeError("invalid-input", `${path} is not a plain file`, {
      hint: "copy the device or the pipe into a file first",
    });
  }
  const file = repository.openFile(path, { mode: "read" });
  try {
    const sizeBytes = file.sizeBytes();
    const isUnchanged = () => repository.files.statTargetIfExists(path)?.mtimeMs === stat?.mtimeMs;
    const blocks = fileBlocks(file, { ...options, sizeBytes, isUnchanged });
    const writes =
      parent === undefined ? blocks : changedBlocks(repository, parent, { blocks, blockSizeBytes, signal });
    return await commitBlocks(repository, writes, {
      sizeBytes,
      blockSizeBytes,
      parent,
      name,
      labels,
      signal,
    });
  } finally {
    await file.close();
  }
}

interface FileBlocksOptions extends CreateFromFileOptions {
  readonly sizeBytes: number;
  readonly isUnchanged: () => boolean;
}

/** Holes become zeros; a block that a hole covers only in part is read. */
async function* fileBlocks(file: SparseFile, options: FileBlocksOptions): AsyncGenerator<BlockWrite> {
  const { sizeBytes, blockSizeBytes, signal, onProgress } = options;
  const stepBytes = Math.max(pieceBytes, blockSizeBytes);
  const buffer = Buffer.allocUnsafe(stepBytes);
  let doneBytes = 0;
  for (const run of file.dataRuns({ offsetBytes: 0, lengthBytes: sizeBytes })) {
    if (run.kind === "zero") continue;
    const firstBlock = Math.floor(run.offsetBytes / blockSizeBytes);
    const endBlock = Math.ceil((run.offsetBytes + run.lengthBytes) / blockSizeBytes);
    const start = Math.max(doneBytes, firstBlock * blockSizeBytes);
    if (start > doneBytes) yield zeros(doneBytes, start);
    doneBytes = Math.max(start, Math.min(sizeBytes, endBlock * blockSizeBytes));
    yield* readBlocks(start, doneBytes);
  }
  if (doneBytes < sizeBytes) yield zeros(doneBytes, sizeBytes);
  onProgress?.(sizeBytes, sizeBytes);
  if (file.sizeBytes() !== sizeBytes || !options.isUnchanged()) throw changed(file.path);

  function zeros(from: number, to: number): BlockWrite {
    return { blockIndex: from / blockSizeBytes, zeroBlocks: Math.ceil((to - from) / blockSizeBytes) };
  }

  async function* readBlocks(from: number, to: number): AsyncGenerator<BlockWrite> {
    for (let at = from; at < to; at += stepBytes) {
      signal.throwIfAborted();
      const data = buffer.subarray(0, Math.min(stepBytes, to - at));
      if ((await file.read(data, at)) < data.length) throw changed(file.path);
      yield { blockIndex: at / blockSizeBytes, data };
      onProgress?.(at + data.length, sizeBytes);
    }
  }
}

function changed(path: string): KeyframeError {
  return new KeyframeError("refused", `${path} changed while it was read`, {
    hint: "stop the program that writes to it, or make the image of a copy",
  });
}

interface ChangedBlocksOptions {
  readonly blocks: AsyncIterable<BlockWrite>;
  readonly blockSizeBytes: number;
  readonly signal: AbortSignal;
}

/** Leaves out the blocks that the parent has at the same place. */
async function* changedBlocks(
  repository: ImageRepository,
  parent: FoundImage,
  options: ChangedBlocksOptions,
): AsyncGenerator<BlockWrite> {
  const { blockSizeBytes, signal } = options;
  const image = openImage(repository, parent.manifest);
  try {
    for await (const write of options.blocks) {
      if (!("data" in write)) {
        // where the parent has zeros too this says nothing new, and costs no storage
        yield write;
        continue;
      }
      const start = write.blockIndex * blockSizeBytes;
      // behind its end the parent reads as zeros
      const old = Buffer.alloc(write.data.length);
      const offsetBytes = Math.min(start, image.sizeBytes);
      const lengthBytes = Math.min(old.length, image.sizeBytes - offsetBytes);
      let filled = 0;
      for await (const piece of image.stream({ offsetBytes, lengthBytes }, signal))
        filled += piece.copy(old, filled);
      yield* differing(write, old, blockSizeBytes);
    }
  } finally {
    await image.close();
  }
}

function* differing(
  { blockIndex, data }: { readonly blockIndex: number; readonly data: Buffer },
  old: Buffer,
  blockSizeBytes: number,
): Generator<BlockWrite> {
  let from: number | undefined;
  for (let at = 0; at < data.length; at += blockSizeBytes) {
    const end = Math.min(at + blockSizeBytes, data.length);
    const isEqual = data.compare(old, at, end, at, end) === 0;
    if (isEqual && from !== undefined) {
      yield { blockIndex: blockIndex + from / blockSizeBytes, data: data.subarray(from, at) };
      from = undefined;
    }
    if (!isEqual) from ??= at;
  }
  if (from !== undefined) yield { blockIndex: blockIndex + from / blockSizeBytes, data: data.subarray(from) };
}
