import type { Duplex } from "node:stream";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import { maxGuestConnections } from "../limits.ts";
import { createGuestCommand, type GuestCommand, type GuestCommandEvents } from "./command.ts";
import {
  createGuestFrameParser,
  encodeGuestFrame,
  type GuestFrame,
  guestFrameTypes,
  maxGuestPayloadBytes,
} from "./frame.ts";
import {
  type CommandRequest,
  encodeCommandRequest,
  encodeConnectRequest,
  encodeFileRequest,
  encodeIdentity,
  type FileRequest,
  type GuestDial,
  type GuestIdentity,
  parseGuestDial,
} from "./message.ts";

/** One conversation with the program inside a guest. Many commands run at once on it. */
export interface GuestChannel {
  /** Resolves with an answer that was made inside the guest. */
  ping(): Promise<void>;
  /** Renews what must not be equal in two copies of a guest. Once, if it is what the conversation began with. */
  renewIdentity(identity: GuestIdentity): Promise<RenewedIdentity>;
  run(request: CommandRequest): GuestCommand;
  /** Writes standard input to a file of the image: complete when it exits with 0, else unchanged. */
  putFile(path: string, options: Omit<FileRequest, "arguments">): GuestCommand;
  /** A file of the image as standard output. */
  getFile(path: string, options?: Pick<FileRequest, "user">): GuestCommand;
  /** Standard output is for parseFileList. */
  listFiles(path: string): GuestCommand;
  /** Looks at or changes entries of folders: what src/sandbox/guest/files.ts asks for. */
  manageFiles(request: FileRequest): GuestCommand;
  /** Connects to a server at a TCP port of the guest's 127.0.0.1: its input and output are the command's. */
  connect(port: number): GuestCommand;
  /** From here on this conversation carries the guest's own connections; the last one to say so does. */
  serveNetwork(service: GuestNetworkService): void;
  /** Asks the guest to write its disk back and end; the machine ends soon after. */
  shutDown(): void;
  /** Commands that were not started with `keep` are killed by the guest soon after. */
  close(): void;
  /** Resolves when the conversation is over, whoever ended it. */
  readonly closed: Promise<void>;
}

export interface GuestNetworkService {
  /** A program of the guest has connected. `cancel` of the connection refuses it, also later. */
  dial(to: GuestDial, connection: GuestCommand): void;
  /** Answers a DNS message with a DNS message; undefined for no answer. */
  resolve(question: Buffer): Promise<Buffer | undefined>;
}

export interface RenewedIdentity {
  /** What could not be done, one text each. */
  readonly problems: readonly string[];
  /** Programs of the image that renew what lives in processes: the caller runs them. */
  readonly hooks: readonly string[];
}

export interface GuestChannelOptions {
  readonly clock: Clock;
  /** 8 random bytes: tells this conversation's first answer from what an earlier one left in the pipe. */
  readonly nonce: Uint8Array;
  /** Counts the lives of a guest: 1 at boot, one more with every restore. */
  readonly generation: number;
  /** How long the guest may take for its first answer. */
  readonly timeoutMs: number;
  /** Sent right behind the first hello, so that a guest that wakes up does both at once: see `renewIdentity`. */
  readonly identity?: GuestIdentity;
  /** Called when the first words are written and before the guest is waited for: here it may be continued. */
  readonly onSpoken?: () => Promise<void>;
}

export const guestProtocolVersion = 1;

/** Streams from this number on are begun by the guest. */
const guestStreams = 0x80000000;

const helloRepeatMs = 1_000;

/** Opens the conversation on a connected port. `timed-out` if the guest does not answer, `guest-gone` if it ends. */
export async function openGuestChannel(
  connection: Duplex,
  options: GuestChannelOptions,
): Promise<GuestChannel> {
  const hello = encodeHello(options.nonce, options.generation);
  const parser = createGuestFrameParser();
  const state = createChannelState(connection);
  connection.on("data", (chunk: Buffer) => {
    for (const frame of parser.push(chunk)) state.take(frame);
  });
  const greeted = state.greeted(options.nonce, options.generation);
  greeted.catch(() => undefined); // awaited below, after steps that may fail first
  connection.cork();
  connection.write(hello);
  if (options.identity !== undefined) state.sayIdentityEarly(options.identity);
  connection.uncork();
  // A guest that was saved in the middle of a frame takes the first bytes for the rest of it: fill that up with
  // zeros, which it skips, and say hello again.
  const repeating = new AbortController();
  const repeat = (async () => {
    for (;;) {
      await options.clock.sleep(helloRepeatMs, repeating.signal);
      state.forgetEarlyIdentity();
      connection.write(Buffer.alloc(maxGuestPayloadBytes));
      connection.write(hello);
    }
  })().catch(() => undefined); // ends by its abort only
  const limit = new AbortController();
  try {
    await options.onSpoken?.();
    await Promise.race([
      greeted,
      options.clock.sleep(options.timeoutMs, limit.signal).then(() => {
        throw new KeyframeError("timed-out", `the guest did not answer within ${options.timeoutMs} ms`, {
          hint: "`keyframe sandbox logs` shows its console",
        });
      }),
    ]);
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    repeating.abort();
    limit.abort();
    await repeat;
  }
  return state.channel;
}

function encodeHello(nonce: Uint8Array, generation: number): Buffer {
  const payload = Buffer.alloc(12);
  payload.set(nonce, 0);
  payload.writeUInt32LE(generation, 8);
  return encodeGuestFrame(guestFrameTypes.hello, 0, payload);
}

interface Pending {
  resolve(payload: Buffer): void;
  reject(error: Error): void;
}

function createChannelState(connection: Duplex) {
  const commands = new Map<number, GuestCommandEvents>();
  const replies = new Map<number, Pending>();
  let network: GuestNetworkService | undefined;
  let onHello: ((payload: Buffer) => void) | undefined;
  let greeted = false;
  let lastStream = 0;
  let failure: KeyframeError | undefined;
  let markClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    markClosed = resolve;
  });

  function end(cause?: Error): void {
    if (failure !== undefined) return;
    failure = new KeyframeError("guest-gone", "the connection to the guest has ended", {
      hint: "`keyframe sandbox ls` shows whether the sandbox still runs",
      ...(cause === undefined ? {} : { cause }),
    });
    for (const command of commands.values()) command.gone(failure);
    for (const pending of replies.values()) pending.reject(failure);
    commands.clear();
    replies.clear();
    rejectGreeting(failure);
    markClosed();
  }
  let rejectGreeting: (error: Error) => void = () => undefined;
  connection.on("error", end);
  connection.on("close", () => end());

  function send(type: number, stream: number, payload?: Uint8Array): void {
    if (failure === undefined) connection.write(encodeGuestFrame(type, stream, payload));
  }

  function ask(type: number, payload: Uint8Array): Promise<Buffer> {
    if (failure !== undefined) return Promise.reject(failure);
    const stream = nextStream();
    return new Promise((resolve, reject) => {
      replies.set(stream, { resolve, reject });
      send(type, stream, payload);
    });
  }

  function nextStream(): number {
    lastStream = (lastStream + 1) % guestStreams;
    return lastStream;
  }

  function begin(type: number, payload: Uint8Array): GuestCommand {
    const stream = nextStream();
    const { command, events } = createGuestCommand((kind, data) => send(kind, stream, data));
    if (failure !== undefined) events.gone(failure);
    else {
      send(type, stream, payload); // throws if it does not fit a frame: then there is no command
      commands.set(stream, events);
    }
    return command;
  }

  let early: { readonly identity: GuestIdentity; readonly answer: Promise<Buffer> } | undefined;
  /** What the guest has started: it chose the number of the stream. */
  function takeFromGuest(frame: GuestFrame): void {
    const { stream } = frame;
    if (frame.type === guestFrameTypes.dial) {
      // only the guest's half of the numbers, and so many: its programs may write to the port as they like
      if (stream < guestStreams || commands.has(stream) || frame.payload.length < 6) return;
      if (network === undefined || commands.size > 2 * maxGuestConnections) {
        send(guestFrameTypes.cancel, stream);
        return;
      }
      const { command, events } = createGuestCommand((kind, data) => send(kind, stream, data));
      commands.set(stream, events);
      network.dial(parseGuestDial(frame.payload), command);
    } else if (frame.type === guestFrameTypes.resolve) {
      network?.resolve(frame.payload).then(
        (answer) => answer !== undefined && send(guestFrameTypes.resolved, stream, answer),
        () => undefined, // the guest asks again
      );
    }
  }

  const channel: GuestChannel = {
    async ping() {
      await ask(guestFrameTypes.ping, Buffer.alloc(0));
    },
    async renewIdentity(identity) {
      const said = early?.identity === identity ? early.answer : undefined;
      const answer = await (said ?? ask(guestFrameTypes.identity, encodeIdentity(identity)));
      const text = answer.toString("utf8");
      const lines = (prefix: string) =>
        text.split("\n").flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
      return { problems: lines("problem: "), hooks: lines("hook: ") };
    },
    run: (request) => begin(guestFrameTypes.exec, encodeCommandRequest(request)),
    putFile: (path, options) =>
      begin(guestFrameTypes.put, encodeFileRequest({ ...options, arguments: [path] })),
    getFile: (path, options) =>
      begin(guestFrameTypes.get, encodeFileRequest({ ...options, arguments: [path] })),
    listFiles: (path) => begin(guestFrameTypes.list, encodeFileRequest({ arguments: [path] })),
    manageFiles: (request) => begin(guestFrameTypes.files, encodeFileRequest(request)),
    connect: (port) => begin(guestFrameTypes.connect, encodeConnectRequest(port)),
    serveNetwork(service) {
      network = service;
      send(guestFrameTypes.network, 0);
    },
    shutDown: () => send(guestFrameTypes.shutdown, 0),
    close() {
      end();
      connection.destroy();
    },
    closed,
  };

  return {
    channel,
    /** Before the guest has answered the hello. */
    sayIdentityEarly(identity: GuestIdentity): void {
      early = { identity, answer: ask(guestFrameTypes.identity, encodeIdentity(identity)) };
      early.answer.catch(() => undefined); // awaited by renewIdentity
    },
    /** What was said first may have been lost, all or in part: `renewIdentity` says it again. */
    forgetEarlyIdentity(): void {
      early = undefined;
    },
    greeted(nonce: Uint8Array, generation: number): Promise<void> {
      return new Promise((resolve, reject) => {
        rejectGreeting = reject;
        if (failure !== undefined) return reject(failure);
        onHello = (payload) => {
          if (payload.length < 16 || !payload.subarray(0, 8).equals(nonce)) return;
          if (payload.readUInt32LE(8) !== generation) return;
          const version = payload.readUInt32LE(12);
          if (version !== guestProtocolVersion) {
            return reject(
              new KeyframeError(
                "guest-failed",
                `the guest speaks protocol ${version}, this program ${guestProtocolVersion}`,
              ),
            );
          }
          greeted = true;
          resolve();
        };
      });
    },
    take(frame: GuestFrame): void {
      if (frame.type === guestFrameTypes.helloReply) {
        onHello?.(frame.payload);
        return;
      }
      if (!greeted) return; // meant for an earlier conversation
      if (frame.type === guestFrameTypes.pong || frame.type === guestFrameTypes.identityReply) {
        replies.get(frame.stream)?.resolve(frame.payload);
        replies.delete(frame.stream);
        return;
      }
      if (frame.type === guestFrameTypes.dial || frame.type === guestFrameTypes.resolve) {
        takeFromGuest(frame);
        return;
      }
      const command = commands.get(frame.stream);
      if (command?.take(frame) === "ended") commands.delete(frame.stream);
    },
  };
}
