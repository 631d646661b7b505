import type { Duplex } from "node:stream";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import type { GuestChannel } from "./channel.ts";
import { GuestConversation } from "./conversation.ts";
import { encodeGuestFrame, guestFrameTypes, maxGuestPayloadBytes } from "./frame.ts";
import type { GuestIdentity } from "./message.ts";

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
