import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf } from "../files/files.ts";

export interface InputLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/**
 * All of standard input, synchronously: `process.stdin`, and any asynchronous read, cost a hook several milliseconds.
 * A pipe is given up after `timeoutMs`; a socket is waited for, since it cannot be opened a second time.
 * @throws KeyframeError `usage` for a terminal, `too-large`, `timed-out`
 */
export function readStandardInput({ maxBytes, timeoutMs }: InputLimits): Buffer {
  const input = openInput();
  try {
    const deadlineMs = Date.now() + timeoutMs;
    const pieces: Buffer[] = [];
    for (let total = 0; ; ) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const count = readPiece(input.descriptor, piece);
      if (count === 0) return Buffer.concat(pieces, total);
      if (count === undefined) {
        if (Date.now() > deadlineMs) {
          throw new KeyframeError("timed-out", `standard input did not end within ${timeoutMs} ms`);
        }
        Atomics.wait(sleeper, 0, 0, retryDelayMs);
        continue;
      }
      total += count;
      if (total > maxBytes) {
        throw new KeyframeError("too-large", `standard input is larger than ${maxBytes} bytes`);
      }
      pieces.push(piece.subarray(0, count));
    }
  } finally {
    input.close();
  }
}

/** Standard input as it comes, for programs that talk with whoever is at its other end. */
export function streamStandardInput(): AsyncIterable<Uint8Array> {
  return process.stdin;
}

const pieceBytes = 64 * 1024;
const retryDelayMs = 1;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Opened anew, so that not waiting is a property of this reader and not of the writer's end or of other processes. */
function openInput(): { readonly descriptor: number; close(): void } {
  const stat = fstatSync(0);
  if (stat.isCharacterDevice() && process.getBuiltinModule("node:tty").isatty(0)) {
    throw new KeyframeError("usage", "expected input on standard input, not a terminal");
  }
  if (stat.isFIFO()) {
    try {
      const descriptor = openSync("/dev/stdin", constants.O_RDONLY | constants.O_NONBLOCK);
      return { descriptor, close: () => closeSync(descriptor) };
    } catch {
      // no such device here: read what was inherited
    }
  }
  return { descriptor: 0, close: () => undefined };
}

/** Undefined: nothing there yet. */
function readPiece(descriptor: number, into: Buffer): number | undefined {
  try {
    return readSync(descriptor, into, 0, into.length, null);
  } catch (error) {
    if (errnoOf(error) === "EAGAIN") return undefined;
    if (errnoOf(error) === "EOF") return 0;
    throw error;
  }
}
