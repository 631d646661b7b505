import type { Duplex } from "node:stream";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import type { GuestCommand } from "./command.ts";
import { GuestConversation } from "./conversation.ts";
import { encodeGuestFrame, guestFrameTypes, maxGuestPayloadBytes } from "./frame.ts";
import type { CommandRequest, FileRequest, GuestDial, GuestIdentity } from "./message.ts";

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

const helloRepeatMs = 1_000;

/** Opens the conversation on a connected port. `timed-out` if the guest does not answer, `guest-gone` if it ends. */
export async function openGuestChannel(
  connection: Duplex,
  options: GuestChannelOptions,
): Promise<GuestChannel> {
  const hello = encodeHello(options.nonce, options.generation);
  const state = new GuestConversation(connection);
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
  return state;
}

function encodeHello(nonce: Uint8Array, generation: number): Buffer {
  const payload = Buffer.alloc(12);
  payload.set(nonce, 0);
  payload.writeUInt32LE(generation, 8);
  return encodeGuestFrame(guestFrameTypes.hello, 0, payload);
}
