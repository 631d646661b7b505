import { Readable, Writable } from "node:stream";
import type { ErrorCode } from "../../base/error-codes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { type GuestFrame, guestFrameTypes } from "./frame.ts";
import { type CommandExit, encodeTerminalSize, parseCommandExit, parseCommandFailure } from "./message.ts";

/** A command inside the guest. Standard output and error share one window: read both, or resume() the other. */
export interface GuestCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The process id in the guest; rejects as `exited` does. */
  readonly started: Promise<number>;
  /** `guest-failed` or a closer code if the command could not be started, `guest-gone` if the guest ended first. */
  readonly exited: Promise<CommandExit>;
  /** To the command's process group. */
  signal(number: number): void;
  resize(size: { readonly rows: number; readonly columns: number }): void;
  /** Kills the command and all of its descendants. */
  cancel(): void;
}

/** What the channel tells a command. */
export interface GuestCommandEvents {
  take(frame: GuestFrame): "ended" | "going";
  gone(error: KeyframeError): void;
}

/** Bytes in flight in each direction. The guest has the same number. */
const windowBytes = 256 * 1024;
const stdinPieceBytes = 16 * 1024;

export function createGuestCommand(send: (type: number, payload?: Uint8Array) => void): {
  readonly command: GuestCommand;
  readonly events: GuestCommandEvents;
} {
  const stdout = createOutput(send);
  const stderr = createOutput(send);
  const stdin = createInput(send);
  const start = settling<number>();
  const end = settling<CommandExit>();

  function fail(error: KeyframeError): void {
    start.reject(error);
    end.reject(error);
    stdout.end();
    stderr.end();
    stdin.stop();
  }

  return {
    command: {
      stdin: stdin.stream,
      stdout: stdout.stream,
      stderr: stderr.stream,
      started: start.promise,
      exited: end.promise,
      signal(number) {
        const payload = Buffer.alloc(4);
        payload.writeUInt32LE(number);
        send(guestFrameTypes.signal, payload);
      },
      resize: (size) => send(guestFrameTypes.resize, encodeTerminalSize(size)),
      cancel: () => send(guestFrameTypes.cancel),
    },
    events: {
      take(frame) {
        if (frame.type === guestFrameTypes.stdout) stdout.push(frame.payload);
        else if (frame.type === guestFrameTypes.stderr) stderr.push(frame.payload);
        else if (frame.type === guestFrameTypes.started) start.resolve(frame.payload.readUInt32LE(0));
        else if (frame.type === guestFrameTypes.outputEnd) stdout.end();
        else if (frame.type === guestFrameTypes.stdinCredit) stdin.grant(frame.payload.readUInt32LE(0));
        else if (frame.type === guestFrameTypes.exit) {
          stdout.end();
          stderr.end();
          stdin.stop();
          end.resolve(parseCommandExit(frame.payload));
          return "ended";
        } else if (frame.type === guestFrameTypes.failed) {
          const { errno, text } = parseCommandFailure(frame.payload);
          fail(new KeyframeError(guestErrnoCodes[errno] ?? "guest-failed", `the guest cannot ${text}`));
          return "ended";
        }
        return "going";
      },
      gone: fail,
    },
  };
}

/** What Linux error numbers from the guest mean to the caller. */
const guestErrnoCodes: Readonly<Record<number, ErrorCode>> = {
  2: "not-found",
  17: "already-exists",
  20: "invalid-input",
  21: "invalid-input",
  28: "disk-full",
};

/** A promise whose rejection need not be seen: whoever only reads the output sees the failure there. */
function settling<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

function createOutput(send: (type: number, payload?: Uint8Array) => void) {
  let owedBytes = 0;
  const grant = () => {
    if (owedBytes === 0) return;
    const payload = Buffer.alloc(4);
    payload.writeUInt32LE(owedBytes);
    owedBytes = 0;
    send(guestFrameTypes.credit, payload);
  };
  // the reader's pace is the guest's pace: credit is returned when the stream asks for more
  const stream = new Readable({ highWaterMark: windowBytes / 2, read: grant });
  return {
    stream,
    push(payload: Buffer) {
      owedBytes += payload.length;
      if (stream.destroyed || (stream.push(payload) && owedBytes >= windowBytes / 4)) grant();
    },
    end() {
      if (!stream.destroyed) stream.push(null);
    },
  };
}

function createInput(send: (type: number, payload?: Uint8Array) => void) {
  let room = windowBytes;
  let waiting: { readonly chunk: Buffer; readonly done: (error?: Error | null) => void } | undefined;
  let stopped = false;

  function pump(): void {
    if (waiting === undefined) return;
    let { chunk } = waiting;
    const { done } = waiting;
    while (!stopped && chunk.length > 0 && room > 0) {
      const piece = chunk.subarray(0, Math.min(stdinPieceBytes, room));
      send(guestFrameTypes.stdin, piece);
      room -= piece.length;
      chunk = chunk.subarray(piece.length);
    }
    // after the command's end, input is taken and dropped, as a shell's closed pipe would without the signal
    if (!stopped && chunk.length > 0) {
      waiting = { chunk, done };
      return;
    }
    waiting = undefined;
    done();
  }

  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      waiting = { chunk, done };
      pump();
    },
    final(done) {
      if (!stopped) send(guestFrameTypes.stdinEnd);
      done();
    },
  });
  return {
    stream,
    grant(bytes: number) {
      room += bytes;
      pump();
    },
    stop() {
      stopped = true;
      pump();
    },
  };
}
