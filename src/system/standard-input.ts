import { fstatSync, read } from "node:fs";
import { isatty } from "node:tty";
import { KeyframeError } from "../base/errors.ts";
import { errnoOf } from "./files.ts";

export interface InputLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/**
 * All of standard input. Reads the descriptor itself: `process.stdin` costs a hook several milliseconds.
 * @throws KeyframeError `usage` for a terminal, `too-large`, and `timed-out`; after the last the process cannot end by
 * itself, since the system keeps waiting for the read: the caller must kill it
 */
export async function readStandardInput({ maxBytes, timeoutMs }: InputLimits): Promise<Buffer> {
  if (fstatSync(0).isCharacterDevice() && isatty(0)) {
    throw new KeyframeError("usage", "expected input on standard input, not a terminal");
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new KeyframeError("timed-out", `standard input did not end within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([readAll(maxBytes), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let total = 0; ; ) {
    const piece = Buffer.allocUnsafe(64 * 1024);
    const count = await readPiece(piece);
    if (count === 0) return Buffer.concat(pieces, total);
    total += count;
    if (total > maxBytes) {
      throw new KeyframeError("too-large", `standard input is larger than ${maxBytes} bytes`);
    }
    pieces.push(piece.subarray(0, count));
  }
}

const retryDelayMs = 5;

function readPiece(into: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const attempt = () =>
      read(0, into, 0, into.length, null, (error, count) => {
        if (error === null) resolve(count);
        // a non-blocking pipe whose writer has not written yet
        else if (errnoOf(error) === "EAGAIN") setTimeout(attempt, retryDelayMs);
        else if (errnoOf(error) === "EOF") resolve(0);
        else reject(error);
      });
    attempt();
  });
}
