import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { KeyframeError } from "../../base/errors.ts";

/** A body that is small by contract, whole; `too-large` beyond the limit. */
export async function readSmallBody(request: Request, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of streamBody(request)) {
    total += piece.length;
    if (total > maxBytes) {
      throw new KeyframeError("too-large", `the request's body is larger than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** A body of any size, as it arrives and as fast as it is read; `closed` if the client goes away before its end. */
export function streamBody(request: Request): Readable & AsyncIterable<Buffer> {
  return Readable.from(received(request.body as NodeReadableStream<Uint8Array> | null), {
    objectMode: false,
  });
}

async function* received(body: NodeReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  try {
    yield* body;
  } catch (cause) {
    throw new KeyframeError("closed", "the client broke its request off", { cause });
  }
}
