import { KeyframeError } from "../base/errors.ts";
import { readLinesAsync } from "../base/text/lines.ts";
import { chunkTargetBytes, maxChunkBytes } from "./limits.ts";

export interface Chunk {
  readonly bytes: Buffer;
  /** Where the chunk starts in the transcript. */
  readonly offsetBytes: number;
}

export interface CutOptions {
  /** Where `content` starts in the transcript: the offset of an earlier chunk, when only what follows it is cut again. */
  readonly offsetBytes?: number;
  readonly targetBytes?: number;
}

/**
 * Cuts a transcript of lines into chunks that joined by "\n" are the transcript again. Where a chunk ends depends only
 * on the bytes before, so when the transcript grows every chunk but the last stays what it was.
 * @throws KeyframeError `too-large` for a line that no chunk can hold
 */
export async function* cutTranscript(
  content: AsyncIterable<Uint8Array>,
  { offsetBytes = 0, targetBytes = chunkTargetBytes }: CutOptions = {},
): AsyncGenerator<Chunk> {
  let lines: Buffer[] = [];
  let sizeBytes = 0;
  let startBytes = offsetBytes;
  for await (const line of readLinesAsync(content, maxChunkBytes - 1)) {
    if ("oversized" in line) {
      throw new KeyframeError("too-large", `a transcript line of ${line.sizeBytes} bytes cannot be stored`);
    }
    const lineBytes = line.bytes.length + (line.terminated ? 1 : 0);
    if (sizeBytes > 0 && (sizeBytes >= targetBytes || sizeBytes + lineBytes > maxChunkBytes)) {
      // the newline between two chunks is the joint, and belongs to neither
      yield { bytes: Buffer.concat(lines, sizeBytes - 1), offsetBytes: startBytes };
      startBytes += sizeBytes;
      lines = [];
      sizeBytes = 0;
    }
    lines.push(Buffer.from(line.bytes));
    if (line.terminated) lines.push(newline);
    sizeBytes += lineBytes;
  }
  if (sizeBytes > 0) yield { bytes: Buffer.concat(lines, sizeBytes), offsetBytes: startBytes };
}

const newline = Buffer.from("\n");

/** The transcript of its chunks, as a stream. */
export async function* joinChunks(
  chunks: Iterable<AsyncIterable<Buffer>> | AsyncIterable<AsyncIterable<Buffer>>,
): AsyncGenerator<Buffer> {
  let first = true;
  for await (const chunk of chunks) {
    if (!first) yield newline;
    first = false;
    yield* chunk;
  }
}
