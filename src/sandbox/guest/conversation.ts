import type { Duplex } from "node:stream";
import { errorText, isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { maxGuestConnections } from "../limits.ts";
import type { GuestChannel, GuestNetworkService, RenewedIdentity } from "./channel.ts";
import { createGuestCommand, type GuestCommand, type GuestCommandEvents } from "./command.ts";
import { createGuestFrameParser, encodeGuestFrame, type GuestFrame, guestFrameTypes } from "./frame.ts";
import { isGuestFrame } from "./frame-rules.ts";
import {
  type CommandRequest,
  encodeCommandRequest,
  encodeConnectRequest,
  encodeFileRequest,
  encodeIdentity,
  type FileRequest,
  type GuestIdentity,
  parseGuestDial,
} from "./message.ts";

export const guestProtocolVersion = 1;

/** Streams from this number on are begun by the guest. */
const guestStreams = 0x80000000;

/**
 * What a guest may leave unread of what this side has to say to it. Answers to what it began by itself are left out
 * from the first limit on; one that lets everything else lie is cut off at the second.
 */
const maxUnreadAnswerBytes = 4 * 1024 * 1024;
const maxUnreadBytes = 64 * 1024 * 1024;

interface Pending {
  resolve(payload: Buffer): void;
  reject(error: Error): void;
}

/**
 * The state of one conversation. Nothing that a guest sends is believed before it is checked: a frame that breaks the
 * protocol ends this conversation, with its reason, and no other.
 */
export class GuestConversation implements GuestChannel {
  readonly #connection: Duplex;
  readonly #commands = new Map<number, GuestCommandEvents>();
  readonly #replies = new Map<number, Pending>();
  readonly #parser = createGuestFrameParser();
  #network: GuestNetworkService | undefined;
  #onHello: ((payload: Buffer) => void) | undefined;
  #rejectGreeting: (error: Error) => void = () => undefined;
  #greeted = false;
  #lastStream = 0;
  #failure: KeyframeError | undefined;
  #early: { readonly identity: GuestIdentity; readonly answer: Promise<Buffer> } | undefined;
  #markClosed: () => void = () => undefined;
  readonly closed: Promise<void>;

  constructor(connection: Duplex) {
    this.#connection = connection;
    this.closed = new Promise((resolve) => {
      this.#markClosed = resolve;
    });
    connection.on("error", (error) => this.#end(error));
    connection.on("close", () => this.#end());
    connection.on("data", (chunk: Buffer) => this.#hear(chunk));
  }

  async ping(): Promise<void> {
    await this.#ask(guestFrameTypes.ping, Buffer.alloc(0));
  }

  async renewIdentity(identity: GuestIdentity): Promise<RenewedIdentity> {
    const said = this.#early?.identity === identity ? this.#early.answer : undefined;
    const answer = await (said ?? this.#ask(guestFrameTypes.identity, encodeIdentity(identity)));
    const lines = answer.toString("utf8").split("\n");
    const after = (prefix: string) =>
      lines.flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
    return { problems: after("problem: "), hooks: after("hook: ") };
  }

  run(request: CommandRequest): GuestCommand {
    return this.#begin(guestFrameTypes.exec, encodeCommandRequest(request));
  }
  putFile(path: string, options: Omit<FileRequest, "arguments">): GuestCommand {
    return this.#begin(guestFrameTypes.put, encodeFileRequest({ ...options, arguments: [path] }));
  }
  getFile(path: string, options?: Pick<FileRequest, "user">): GuestCommand {
    return this.#begin(guestFrameTypes.get, encodeFileRequest({ ...options, arguments: [path] }));
  }
  manageFiles(request: FileRequest): GuestCommand {
    return this.#begin(guestFrameTypes.files, encodeFileRequest(request));
  }
  connect(port: number): GuestCommand {
    return this.#begin(guestFrameTypes.connect, encodeConnectRequest(port));
  }

  serveNetwork(service: GuestNetworkService): void {
    this.#network = service;
    this.#send(guestFrameTypes.network, 0);
  }

  shutDown(): void {
    this.#send(guestFrameTypes.shutdown, 0);
  }

  close(): void {
    this.#end();
    this.#connection.destroy();
  }

  /** Before the guest has answered the hello. */
  sayIdentityEarly(identity: GuestIdentity): void {
    const answer = this.#ask(guestFrameTypes.identity, encodeIdentity(identity));
    answer.catch(() => undefined); // awaited by renewIdentity
    this.#early = { identity, answer };
  }

  /** What was said first may have been lost, all or in part: `renewIdentity` says it again. */
  forgetEarlyIdentity(): void {
    this.#early = undefined;
  }

  greeted(nonce: Uint8Array, generation: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rejectGreeting = reject;
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#onHello = (payload) => {
        // an earlier conversation's answer that was left in the pipe
        if (!payload.subarray(0, 8).equals(nonce) || payload.readUInt32LE(8) !== generation) return;
        const version = payload.readUInt32LE(12);
        if (version !== guestProtocolVersion) return reject(otherVersion(version));
        this.#greeted = true;
        resolve();
      };
    });
  }

  #hear(chunk: Buffer): void {
    try {
      for (const frame of this.#parser.push(chunk)) {
        if (this.#failure !== undefined) return;
        this.#take(frame);
      }
    } catch (error) {
      this.#fail(isKeyframeError(error, "guest-failed") ? error : guestBroke(error));
    }
  }

  #take(frame: GuestFrame): void {
    // what is left of an earlier conversation may be cut anywhere
    if (!this.#greeted && frame.type !== guestFrameTypes.helloReply) return;
    if (!isGuestFrame(frame)) return;
    switch (frame.type) {
      case guestFrameTypes.helloReply:
        this.#onHello?.(frame.payload);
        return;
      case guestFrameTypes.pong:
      case guestFrameTypes.identityReply:
        this.#replies.get(frame.stream)?.resolve(frame.payload);
        this.#replies.delete(frame.stream);
        return;
      case guestFrameTypes.dial:
        this.#takeDial(frame);
        return;
      case guestFrameTypes.resolve:
        this.#takeQuestion(frame);
        return;
      default:
        if (this.#commands.get(frame.stream)?.take(frame) === "ended") this.#commands.delete(frame.stream);
    }
  }

  #takeDial({ stream, payload }: GuestFrame): void {
    // only the guest's half of the numbers, each once: its programs may write to the port as they like
    if (stream < guestStreams || this.#commands.has(stream)) return;
    if (this.#network === undefined || this.#commands.size > 2 * maxGuestConnections) {
      this.#answer(guestFrameTypes.cancel, stream);
      return;
    }
    const { command, events } = createGuestCommand((kind, data) => this.#send(kind, stream, data));
    this.#commands.set(stream, events);
    this.#network.dial(parseGuestDial(payload), command);
  }

  #takeQuestion({ stream, payload }: GuestFrame): void {
    this.#network?.resolve(payload).then(
      (answer) => answer !== undefined && this.#answer(guestFrameTypes.resolved, stream, answer),
      () => undefined, // the guest asks again
    );
  }

  #begin(type: number, payload: Uint8Array): GuestCommand {
    const stream = this.#nextStream();
    const { command, events } = createGuestCommand((kind, data) => this.#send(kind, stream, data));
    if (this.#failure !== undefined) {
      events.gone(this.#failure);
      return command;
    }
    const message = encodeGuestFrame(type, stream, payload); // throws if it does not fit: then there is no command
    this.#commands.set(stream, events);
    this.#write(message);
    return command;
  }

  #ask(type: number, payload: Uint8Array): Promise<Buffer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const stream = this.#nextStream();
    return new Promise((resolve, reject) => {
      this.#replies.set(stream, { resolve, reject });
      this.#send(type, stream, payload);
    });
  }

  #nextStream(): number {
    this.#lastStream = (this.#lastStream + 1) % guestStreams;
    return this.#lastStream;
  }

  #answer(type: number, stream: number, payload?: Uint8Array): void {
    if (this.#connection.writableLength < maxUnreadAnswerBytes) this.#send(type, stream, payload);
  }

  #send(type: number, stream: number, payload?: Uint8Array): void {
    this.#write(encodeGuestFrame(type, stream, payload));
  }

  #write(message: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#connection.write(message);
    if (this.#connection.writableLength > maxUnreadBytes)
      this.#fail(new KeyframeError("guest-gone", "the guest does not read what it is sent"));
  }

  #fail(error: KeyframeError): void {
    this.#conclude(error);
    this.#connection.destroy();
  }

  #end(cause?: Error): void {
    this.#conclude(
      new KeyframeError("guest-gone", "the connection to the guest has ended", {
        hint: "`keyframe sandbox list` shows whether the sandbox still runs",
        ...(cause === undefined ? {} : { cause }),
      }),
    );
  }

  /** Everybody who waits for the guest hears of the first reason. */
  #conclude(failure: KeyframeError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    for (const command of this.#commands.values()) command.gone(failure);
    for (const pending of this.#replies.values()) pending.reject(failure);
    this.#commands.clear();
    this.#replies.clear();
    this.#rejectGreeting(failure);
    this.#markClosed();
  }
}

function otherVersion(version: number): KeyframeError {
  return new KeyframeError(
    "guest-failed",
    `the guest speaks protocol ${version}, this program ${guestProtocolVersion}`,
  );
}

/** What a handler of ours threw for something that the guest sent. */
function guestBroke(error: unknown): KeyframeError {
  return new KeyframeError("guest-failed", `cannot handle what the guest sent: ${errorText(error)}`, {
    cause: error,
  });
}
