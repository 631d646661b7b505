import { KeyframeError } from "../../../base/errors.ts";
import type { SparseFile } from "../../../system/files/sparse-file.ts";
import type { ByteRange } from "../../streamed-image.ts";
import { isObjectKey, type ObjectContent, type ObjectStat, type ObjectStore } from "./object-store.ts";

const filePieceBytes = 256 * 1024;

/** Bytes in memory, as something to put. */
export function bytesContent(bytes: Buffer): ObjectContent {
  return {
    sizeBytes: bytes.length,
    async *open({ offsetBytes, lengthBytes }) {
      if (lengthBytes > 0) yield bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
    },
  };
}

/** An open file, as something to put. Nobody writes to it meanwhile. */
export function fileContent(file: SparseFile, options: { readonly disposable: boolean }): ObjectContent {
  return {
    sizeBytes: file.sizeBytes(),
    open: (range, signal) => readFilePieces(file, range, signal),
    ...(options.disposable ? { disposableFile: file.path } : {}),
  };
}

/** The bytes of a range of a file; each piece is new memory. */
export async function* readFilePieces(
  file: SparseFile,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const end = range.offsetBytes + range.lengthBytes;
  for (let at = range.offsetBytes; at < end; ) {
    signal.throwIfAborted();
    const piece = Buffer.allocUnsafe(Math.min(filePieceBytes, end - at));
    const count = await file.read(piece, at);
    if (count < piece.length) throw endedEarly(file.path, at + count, end);
    yield piece;
    at += count;
  }
}

/** Passes a stream on and throws if it does not have exactly `lengthBytes`. */
export async function* exactly(
  pieces: AsyncIterable<Buffer>,
  lengthBytes: number,
  what: string,
): AsyncGenerator<Buffer> {
  let done = 0;
  for await (const piece of pieces) {
    done += piece.length;
    if (done > lengthBytes)
      throw new KeyframeError(
        "store-unavailable",
        `${what} sent more than the ${lengthBytes} bytes asked for`,
      );
    if (piece.length > 0) yield piece;
  }
  if (done < lengthBytes) throw endedEarly(what, done, lengthBytes);
}

function endedEarly(what: string, gotBytes: number, wantedBytes: number): KeyframeError {
  return new KeyframeError("store-unavailable", `${what} ended after ${gotBytes} of ${wantedBytes} bytes`);
}

/** The whole stream in one buffer, which must not be longer than `maxBytes`. */
export async function collect(pieces: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const taken: Buffer[] = [];
  let total = 0;
  for await (const piece of pieces) {
    total += piece.length;
    if (total > maxBytes) throw new KeyframeError("too-large", `an object is larger than ${maxBytes} bytes`);
    taken.push(Buffer.from(piece));
  }
  return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken, total);
}

/** A small object in one buffer. */
export async function readObject(
  store: ObjectStore,
  key: string,
  options: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Buffer> {
  return collect(store.read(key, undefined, options.signal), options.maxBytes);
}

export function checkKey(key: string): void {
  if (!isObjectKey(key))
    throw new KeyframeError("invalid-input", `${JSON.stringify(key)} is not the key of an object`);
}

/** The range inside the object, the whole of it if none is given; throws `invalid-input` otherwise. */
export function checkRange(range: ByteRange | undefined, stat: Pick<ObjectStat, "sizeBytes">): ByteRange {
  if (range === undefined) return { offsetBytes: 0, lengthBytes: stat.sizeBytes };
  const { offsetBytes, lengthBytes } = range;
  if (
    !Number.isSafeInteger(offsetBytes) ||
    !Number.isSafeInteger(lengthBytes) ||
    offsetBytes < 0 ||
    lengthBytes < 0 ||
    offsetBytes + lengthBytes > stat.sizeBytes
  ) {
    throw new KeyframeError(
      "invalid-input",
      `bytes ${offsetBytes} to ${offsetBytes + lengthBytes} are not inside an object of ${stat.sizeBytes} bytes`,
    );
  }
  return range;
}

export function objectNotFound(store: { readonly location: string }, key: string): KeyframeError {
  return new KeyframeError("not-found", `${store.location} has no object ${key}`);
}
