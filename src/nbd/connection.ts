import { setMaxListeners } from "node:events";
import { KeyframeError } from "../base/errors.ts";
import type { Clock } from "../system/clock.ts";
import type { StreamSocket, TlsIdentity } from "../system/net/sockets.ts";
import { type ByteQueue, createByteQueue } from "./byte-queue.ts";
import { goodbyeLimitMs, maxOptionBytes, maxOptions, negotiationLimitMs } from "./limits.ts";
import {
  type Agreement,
  createNegotiation,
  type Negotiation,
  type NegotiationConfig,
  type NegotiationStep,
} from "./negotiation.ts";
import { clientFlagsBytes, encodeGreeting, optionHeaderBytes, parseOptionHeader } from "./option-codec.ts";
import { createReplyWriter, type ReplyWriter, type SlabPool } from "./reply-writer.ts";
import { Transmission } from "./transmission.ts";

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

/**
 * "leaving" has said its last word or heard the client's: what still arrives is read and dropped, because a socket that
 * nobody reads never tells that its other end is gone. In every phase the socket is read, waits for a request that
 * ends by itself, or is closed.
 */
type Phase = "client-flags" | "options" | "securing" | "requests" | "leaving" | "closed";

/** Serves one client from greeting to goodbye. */
export function serveConnection(options: ConnectionOptions): Connection {
  return new ServedConnection(options);
}

class ServedConnection implements Connection {
  readonly #options: ConnectionOptions;
  readonly #negotiation: Negotiation;
  readonly #gone = new AbortController();
  readonly #negotiated = new AbortController();
  #socket: StreamSocket;
  #input: ByteQueue = createByteQueue();
  #phase: Phase = "client-flags";
  #optionCount = 0;
  #oversized: { readonly option: number; bytesLeft: number } | undefined;
  #currentOption: { readonly option: number; readonly dataBytes: number } | undefined;
  #requests: { readonly transmission: Transmission; readonly replies: ReplyWriter } | undefined;
  #isEnding = false;
  #isPaused = false;
  #pumpIsDue = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#negotiation = createNegotiation({
      exports: options.exports,
      tls: options.tls === undefined ? "off" : "required",
    });
    // every read that waits for bytes listens to it
    setMaxListeners(0, this.#gone.signal);
    this.#attach();
    this.#socket.write(encodeGreeting());
    this.#destroyAfter(negotiationLimitMs, this.#negotiated.signal);
  }

  destroy(): void {
    this.#socket.destroy();
    this.#ended();
  }

  #attach(): void {
    this.#socket.handle({
      onData: (bytes) => {
        if (this.#phase === "closed" || this.#phase === "leaving") return;
        this.#input.push(bytes);
        this.#advance();
      },
      onClose: () => this.#ended(),
    });
  }

  #ended(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#gone.abort(new KeyframeError("closed", "the client is gone"));
    this.#negotiated.abort(this.#gone.signal.reason);
    this.#options.onClosed();
  }

  #destroyAfter(limitMs: number, signal: AbortSignal): void {
    this.#options.clock.sleep(limitMs, signal).then(
      () => this.destroy(),
      () => undefined, // it ended in time
    );
  }

  #advance(): void {
    while (this.#phase === "client-flags" || this.#phase === "options") {
      if (!this.#negotiate()) break;
    }
    if (this.#phase === "requests" || this.#phase === "leaving") this.#transmit();
  }

  /** False if more bytes are needed first. */
  #negotiate(): boolean {
    if (this.#phase === "client-flags") {
      const bytes = this.#input.take(clientFlagsBytes);
      if (bytes === undefined) return false;
      this.#phase = "options";
      this.#perform(this.#negotiation.clientFlags(bytes.readUInt32BE(0)));
      return true;
    }
    if (this.#oversized !== undefined) return this.#skipOversized(this.#oversized);
    if (this.#currentOption === undefined) return this.#takeOptionHeader();
    const data = this.#input.take(this.#currentOption.dataBytes);
    if (data === undefined) return false;
    const { option } = this.#currentOption;
    this.#currentOption = undefined;
    this.#perform(this.#negotiation.option(option, data));
    return true;
  }

  #takeOptionHeader(): boolean {
    const bytes = this.#input.take(optionHeaderBytes);
    if (bytes === undefined) return false;
    this.#optionCount += 1;
    const header = this.#optionCount > maxOptions ? undefined : parseOptionHeader(bytes);
    if (header === undefined) this.destroy();
    else if (header.dataBytes > maxOptionBytes) {
      this.#oversized = { option: header.option, bytesLeft: header.dataBytes };
    } else this.#currentOption = header;
    return true;
  }

  #skipOversized(oversized: { readonly option: number; bytesLeft: number }): boolean {
    oversized.bytesLeft -= this.#input.skip(oversized.bytesLeft);
    if (oversized.bytesLeft > 0) return false;
    this.#oversized = undefined;
    this.#perform(this.#negotiation.oversizedOption(oversized.option));
    return true;
  }

  #perform({ replies, next }: NegotiationStep): void {
    this.#socket.cork();
    for (const reply of replies) this.#socket.write(reply);
    this.#socket.uncork();
    if (next === "continue") return;
    if (next === "close") this.#end();
    else if (next === "start-tls") void this.#secure();
    else this.#startTransmission(next);
  }

  async #secure(): Promise<void> {
    const { tls } = this.#options;
    // bytes that came before the handshake could have been slipped in by someone on the way
    if (tls === undefined || this.#input.lengthBytes > 0) {
      this.destroy();
      return;
    }
    this.#phase = "securing";
    try {
      this.#socket = await this.#socket.upgradeToTls(tls);
    } catch {
      // a handshake that fails is the client's to report
      this.destroy();
      return;
    }
    this.#input = createByteQueue();
    this.#negotiation.secured();
    this.#phase = "options";
    this.#attach();
  }

  #startTransmission(agreement: Agreement): void {
    this.#negotiated.abort(new KeyframeError("closed", "negotiation is over"));
    this.#phase = "requests";
    const advanceSoon = () => this.#advanceSoon();
    const replies = createReplyWriter({
      socket: this.#socket,
      pool: this.#options.pool,
      onRoom: advanceSoon,
    });
    const transmission = new Transmission({
      agreement,
      input: this.#input,
      replies,
      signal: this.#gone.signal,
      onProgress: advanceSoon,
    });
    this.#requests = { transmission, replies };
  }

  /** At the end of this turn, so that requests that end together are answered with one write. */
  #advanceSoon(): void {
    if (this.#pumpIsDue) return;
    this.#pumpIsDue = true;
    setImmediate(() => {
      this.#pumpIsDue = false;
      this.#advance();
    });
  }

  #transmit(): void {
    const state = this.#requests?.transmission.pump();
    this.#requests?.replies.flush();
    if (state === "broken") this.destroy();
    else if (state === "finished") this.#end();
    else if (state === "leaving") this.#leave();
    else this.#pauseUnless(state === "hungry");
  }

  #pauseUnless(wantsInput: boolean): void {
    if (wantsInput === !this.#isPaused) return;
    this.#isPaused = !wantsInput;
    if (this.#isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  #leave(): void {
    this.#phase = "leaving";
    this.#pauseUnless(true);
  }

  /** All is said. The client gets some time to take it and to close its end. */
  #end(): void {
    this.#leave();
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#socket.end();
    this.#destroyAfter(goodbyeLimitMs, this.#gone.signal);
  }
}
