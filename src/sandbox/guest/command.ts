import { Readable, Writable } from "node:stream";
import type { ErrorCode } from "../../base/error-codes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { type GuestFrame, guestFrameTypes } from "./frame.ts";
import { brokenRules } from "./frame-rules.ts";
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
  /** @throws KeyframeError `guest-failed` if the guest exceeds what it was allowed */
  take(frame: GuestFrame): "ended" | "going";
  gone(error: KeyframeError): void;
}

type Send = (type: number, payload?: Uint8Array) => void;

/** Bytes in flight in each direction. The guest has the same number. */
const windowBytes = 256 * 1024;
const stdinPieceBytes = 16 * 1024;

export function createGuestCommand(send: Send): {
  readonly command: GuestCommand;
  readonly events: GuestCommandEvents;
} {
  const command = new CommandInGuest(send);
  return { command, events: command };
}

class CommandInGuest implements GuestCommand, GuestCommandEvents {
  readonly #send: Send;
  readonly #window: OutputWindow;
  readonly #stdout: CommandOutput;
  readonly #stderr: CommandOutput;
  readonly #stdin: CommandInput;
  readonly #start = settling<number>();
  readonly #end = settling<CommandExit>();

  constructor(send: Send) {
    this.#send = send;
    this.#window = new OutputWindow(send);
    this.#stdout = new CommandOutput(this.#window);
    this.#stderr = new CommandOutput(this.#window);
    this.#stdin = new CommandInput(send);
  }

  get stdin(): Writable {
    return this.#stdin.stream;
  }
  get stdout(): Readable {
    return this.#stdout.stream;
  }
  get stderr(): Readable {
    return this.#stderr.stream;
  }
  get started(): Promise<number> {
    return this.#start.promise;
  }
  get exited(): Promise<CommandExit> {
    return this.#end.promise;
  }

  signal(number: number): void {
    this.#send(guestFrameTypes.signal, uint32(number));
  }
  resize(size: { readonly rows: number; readonly columns: number }): void {
    this.#send(guestFrameTypes.resize, encodeTerminalSize(size));
  }
  cancel(): void {
    this.#send(guestFrameTypes.cancel);
  }

  take({ type, payload }: GuestFrame): "ended" | "going" {
    switch (type) {
      case guestFrameTypes.stdout:
        this.#stdout.push(payload);
        return "going";
      case guestFrameTypes.stderr:
        this.#stderr.push(payload);
        return "going";
      case guestFrameTypes.started:
        this.#start.resolve(payload.readUInt32LE(0));
        return "going";
      case guestFrameTypes.outputEnd:
        this.#stdout.end();
        return "going";
      case guestFrameTypes.stdinCredit:
        this.#stdin.grant(payload.readUInt32LE(0));
        return "going";
      case guestFrameTypes.exit:
        this.#close();
        this.#end.resolve(parseCommandExit(payload));
        return "ended";
      case guestFrameTypes.failed: {
        const { errno, text } = parseCommandFailure(payload);
        this.gone(new KeyframeError(guestErrnoCodes[errno] ?? "guest-failed", `the guest cannot ${text}`));
        return "ended";
      }
      default:
        return "going";
    }
  }

  gone(error: KeyframeError): void {
    this.#start.reject(error);
    this.#end.reject(error);
    this.#close();
  }

  #close(): void {
    this.#stdout.end();
    this.#stderr.end();
    this.#stdin.stop();
  }
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

/** What the guest may still send of a command's output and error together. */
class OutputWindow {
  readonly #send: Send;
  #allowedBytes = windowBytes;

  constructor(send: Send) {
    this.#send = send;
  }

  /** A guest that ignores the window would have this side hold without bound what a slow reader leaves. */
  spend(bytes: number): void {
    this.#allowedBytes -= bytes;
    if (this.#allowedBytes < 0) throw brokenRules("more output than it was allowed");
  }

  grant(bytes: number): void {
    this.#allowedBytes += bytes;
    this.#send(guestFrameTypes.credit, uint32(bytes));
  }
}

class CommandOutput {
  readonly #window: OutputWindow;
  readonly stream: Readable;
  #owedBytes = 0;
  #ended = false;

  constructor(window: OutputWindow) {
    this.#window = window;
    // the reader's pace is the guest's pace: credit is returned when the stream asks for more
    this.stream = new Readable({ highWaterMark: windowBytes / 2, read: () => this.#grant() });
  }

  push(payload: Buffer): void {
    if (this.#ended) throw brokenRules("output after its end");
    this.#window.spend(payload.length);
    this.#owedBytes += payload.length;
    if (this.stream.destroyed || (this.stream.push(payload) && this.#owedBytes >= windowBytes / 4))
      this.#grant();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.stream.destroyed) this.stream.push(null);
  }

  #grant(): void {
    if (this.#owedBytes === 0) return;
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    this.#window.grant(bytes);
  }
}

class CommandInput {
  readonly #send: Send;
  readonly stream: Writable;
  #room = windowBytes;
  #waiting: { readonly chunk: Buffer; readonly done: (error?: Error | null) => void } | undefined;
  #stopped = false;

  constructor(send: Send) {
    this.#send = send;
    this.stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#waiting = { chunk, done };
        this.#pump();
      },
      final: (done) => {
        if (!this.#stopped) send(guestFrameTypes.stdinEnd);
        done();
      },
    });
  }

  /** Never beyond the window: a guest that grants what it did not get would have this side write without bound. */
  grant(bytes: number): void {
    this.#room += bytes;
    if (this.#room > windowBytes) throw brokenRules("more credit than it was sent input");
    this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    this.#pump();
  }

  #pump(): void {
    if (this.#waiting === undefined) return;
    let { chunk } = this.#waiting;
    const { done } = this.#waiting;
    while (!this.#stopped && chunk.length > 0 && this.#room > 0) {
      const piece = chunk.subarray(0, Math.min(stdinPieceBytes, this.#room));
      this.#send(guestFrameTypes.stdin, piece);
      this.#room -= piece.length;
      chunk = chunk.subarray(piece.length);
    }
    // after the command's end, input is taken and dropped, as a shell's closed pipe would without the signal
    if (!this.#stopped && chunk.length > 0) {
      this.#waiting = { chunk, done };
      return;
    }
    // sending may have ended the conversation, and with it this input
    if (this.#waiting === undefined) return;
    this.#waiting = undefined;
    done();
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
