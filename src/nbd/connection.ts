import { setMaxListeners } from "node:events";
import { KeyframeError } from "../base/errors.ts";
import type { Clock } from "../system/clock.ts";
import type { StreamSocket, TlsIdentity } from "../system/net/sockets.ts";
import { createByteQueue } from "./byte-queue.ts";
import { maxOptionBytes, maxOptions, negotiationLimitMs } from "./limits.ts";
import {
  type Agreement,
  createNegotiation,
  type NegotiationConfig,
  type NegotiationStep,
} from "./negotiation.ts";
import { clientFlagsBytes, encodeGreeting, optionHeaderBytes, parseOptionHeader } from "./option-codec.ts";
import { createReplyWriter, type SlabPool } from "./reply-writer.ts";
import { createTransmission, type Transmission } from "./transmission.ts";

export interface ConnectionOptions {
  readonly socket: StreamSocket;
  readonly exports: NegotiationConfig["exports"];
  /** Clients must then use STARTTLS. */
  readonly tls: TlsIdentity | undefined;
  readonly clock: Clock;
  readonly pool: SlabPool;
  onClosed(): void;
}

export interface Connection {
  /** Drops the connection and what is under way on it. */
  destroy(): void;
}

type Phase = "client-flags" | "options" | "securing" | "requests" | "over";

/** Serves one client from greeting to goodbye. */
export function serveConnection(options: ConnectionOptions): Connection {
  let { socket } = options;
  let input = createByteQueue();
  const negotiation = createNegotiation({
    exports: options.exports,
    tls: options.tls === undefined ? "off" : "required",
  });
  const gone = new AbortController();
  // every read that waits for bytes listens to it
  setMaxListeners(0, gone.signal);
  const negotiated = new AbortController();
  let phase: Phase = "client-flags";
  let optionCount = 0;
  let oversized: { readonly option: number; bytesLeft: number } | undefined;
  let currentOption: { readonly option: number; readonly dataBytes: number } | undefined;
  let transmission: Transmission | undefined;
  let flushReplies: () => void = () => undefined;
  let paused = false;
  let pumpIsDue = false;

  attach(socket);
  socket.write(encodeGreeting());
  options.clock.sleep(negotiationLimitMs, negotiated.signal).then(destroy, () => undefined);

  function attach(target: StreamSocket): void {
    target.handle({
      onData(bytes) {
        input.push(bytes);
        advance();
      },
      onClose: ended,
    });
  }

  function ended(): void {
    phase = "over";
    gone.abort(new KeyframeError("closed", "the client is gone"));
    negotiated.abort(gone.signal.reason);
    options.onClosed();
  }

  function destroy(): void {
    phase = "over";
    socket.destroy();
  }

  function advance(): void {
    let wantsInput = true;
    while (phase === "client-flags" || phase === "options") {
      if (!negotiate()) break;
    }
    if (phase === "requests") wantsInput = transmit();
    if (phase === "over" || wantsInput === !paused) return;
    paused = !wantsInput;
    if (paused) socket.pause();
    else socket.resume();
  }

  /** False if more bytes are needed first. */
  function negotiate(): boolean {
    if (phase === "client-flags") {
      const bytes = input.take(clientFlagsBytes);
      if (bytes === undefined) return false;
      phase = "options";
      perform(negotiation.clientFlags(bytes.readUInt32BE(0)));
      return true;
    }
    if (oversized !== undefined) {
      oversized.bytesLeft -= input.skip(oversized.bytesLeft);
      if (oversized.bytesLeft > 0) return false;
      perform(negotiation.oversizedOption(oversized.option));
      oversized = undefined;
      return true;
    }
    if (currentOption === undefined) {
      const bytes = input.take(optionHeaderBytes);
      if (bytes === undefined) return false;
      optionCount += 1;
      const header = optionCount > maxOptions ? undefined : parseOptionHeader(bytes);
      if (header === undefined) destroy();
      else if (header.dataBytes > maxOptionBytes) {
        oversized = { option: header.option, bytesLeft: header.dataBytes };
      } else currentOption = header;
      return true;
    }
    const data = input.take(currentOption.dataBytes);
    if (data === undefined) return false;
    const { option } = currentOption;
    currentOption = undefined;
    perform(negotiation.option(option, data));
    return true;
  }

  function perform({ replies, next }: NegotiationStep): void {
    socket.cork();
    for (const reply of replies) socket.write(reply);
    socket.uncork();
    if (next === "continue") return;
    if (next === "close") {
      phase = "over";
      socket.end();
    } else if (next === "start-tls") void secure();
    else startTransmission(next);
  }

  async function secure(): Promise<void> {
    // bytes that came before the handshake could have been slipped in by someone on the way
    if (options.tls === undefined || input.lengthBytes > 0) {
      destroy();
      return;
    }
    phase = "securing";
    try {
      socket = await socket.upgradeToTls(options.tls);
    } catch {
      // a handshake that fails is the client's to report
      destroy();
      ended();
      return;
    }
    input = createByteQueue();
    negotiation.secured();
    phase = "options";
    attach(socket);
  }

  function startTransmission(agreement: Agreement): void {
    negotiated.abort(new KeyframeError("closed", "negotiation is over"));
    phase = "requests";
    const replies = createReplyWriter({ socket, pool: options.pool, onRoom: advanceSoon });
    flushReplies = () => replies.flush();
    transmission = createTransmission({
      agreement,
      input,
      replies,
      signal: gone.signal,
      onProgress: advanceSoon,
    });
  }

  /** At the end of this turn, so that requests that end together are answered with one write. */
  function advanceSoon(): void {
    if (pumpIsDue) return;
    pumpIsDue = true;
    setImmediate(() => {
      pumpIsDue = false;
      if (phase === "requests") advance();
    });
  }

  function transmit(): boolean {
    const state = transmission?.pump();
    flushReplies();
    if (state === "broken") destroy();
    if (state === "finished") {
      phase = "over";
      socket.end();
    }
    return state === "hungry";
  }

  return { destroy };
}
