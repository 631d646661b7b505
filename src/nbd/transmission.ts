import { errorText } from "../base/errors.ts";
import type { WritableDisk } from "../blocks/writable-disk.ts";
import type { ByteQueue } from "./byte-queue.ts";
import { errnoFor } from "./errno-for.ts";
import { maxInFlightBytes, maxQueuedReplyBytes, maxRequestsInFlight } from "./limits.ts";
import { type Agreement, baseAllocationId } from "./negotiation.ts";
import { commandFlags, commands } from "./protocol.ts";
import type { ReplyPlace, ReplyWriter } from "./reply-writer.ts";
import { checkRequest, type RequestRules } from "./request-check.ts";
import { statusExtents } from "./status-extents.ts";
import {
  dataChunkPrefixBytes,
  encodeBlockStatus,
  encodeErrorChunk,
  encodeHoleChunk,
  parseRequest,
  type Request,
  requestBytes,
  simpleReplyBytes,
  writeDataChunkPrefix,
  writeSimpleReply,
} from "./transmission-codec.ts";

export interface TransmissionOptions {
  readonly agreement: Agreement;
  readonly input: ByteQueue;
  readonly replies: ReplyWriter;
  /** Fires when the connection is gone: nobody waits for answers any more. */
  readonly signal: AbortSignal;
  /** A request ended outside of `pump`: call it again. */
  readonly onProgress: () => void;
}

interface PendingWrite {
  readonly request: Request;
  readonly payload: Buffer;
  filledBytes: number;
}

/** Reads at least this long are asked first whether they are zeros. */
const minHoleCheckBytes = 32 * 1024;

/**
 * The request phase of one connection. Requests are carried out as they come and answered as they end, in any order;
 * no more are taken while too much is under way or unread by the client.
 */
export class Transmission {
  readonly #agreement: Agreement;
  readonly #device: WritableDisk;
  readonly #input: ByteQueue;
  readonly #replies: ReplyWriter;
  readonly #signal: AbortSignal;
  readonly #onProgress: () => void;
  readonly #rules: RequestRules;
  readonly #readPrefixBytes: number;
  #requestsInFlight = 0;
  #inFlightBytes = 0;
  #pendingWrite: PendingWrite | undefined;
  #skipBytes = 0;
  #saidGoodbye = false;

  constructor({ agreement, input, replies, signal, onProgress }: TransmissionOptions) {
    this.#agreement = agreement;
    this.#device = agreement.export.device;
    this.#input = input;
    this.#replies = replies;
    this.#signal = signal;
    this.#onProgress = onProgress;
    this.#rules = {
      sizeBytes: this.#device.sizeBytes,
      readOnly: this.#device.readOnly,
      blockStatus: agreement.blockStatus,
    };
    this.#readPrefixBytes = agreement.structuredReplies ? dataChunkPrefixBytes : simpleReplyBytes;
  }

  /**
   * Takes requests from the input while it can. "blocked" wants no more input before the next call, which a request
   * that ends brings; "leaving" comes after the client's goodbye while requests are under way, "finished" when all is
   * answered; "broken" is input that is not the protocol.
   */
  pump(): "hungry" | "blocked" | "leaving" | "finished" | "broken" {
    for (;;) {
      if (this.#skipBytes > 0) this.#skipBytes -= this.#input.skip(this.#skipBytes);
      if (this.#skipBytes > 0) return "hungry";
      if (this.#pendingWrite !== undefined && !this.#fillWrite(this.#pendingWrite)) return "hungry";
      if (this.#saidGoodbye) return this.#requestsInFlight === 0 ? "finished" : "leaving";
      if (this.#isBusy()) return "blocked";
      const header = this.#input.take(requestBytes);
      if (header === undefined) return "hungry";
      const request = parseRequest(header);
      if (request === undefined) return "broken";
      this.#take(request);
    }
  }

  #isBusy(): boolean {
    return (
      this.#requestsInFlight >= maxRequestsInFlight ||
      this.#inFlightBytes >= maxInFlightBytes ||
      this.#replies.queuedBytes() >= maxQueuedReplyBytes
    );
  }

  #take(request: Request): void {
    if (request.command === commands.disconnect) {
      this.#saidGoodbye = true;
      return;
    }
    const errno = checkRequest(request, this.#rules);
    if (errno !== undefined) {
      // the payload of a refused write follows all the same
      if (request.command === commands.write) this.#skipBytes = request.lengthBytes;
      this.#answerError(request, errno, "this request is not valid here");
      return;
    }
    if (request.command === commands.read) {
      this.#read(request);
      return;
    }
    if (request.command === commands.write) {
      this.#pendingWrite = { request, payload: Buffer.allocUnsafe(request.lengthBytes), filledBytes: 0 };
      return;
    }
    this.#carryOut(request, 0, () => this.#execute(request));
  }

  #fillWrite(write: PendingWrite): boolean {
    write.filledBytes += this.#input.moveInto(write.payload, write.filledBytes);
    if (write.filledBytes < write.payload.length) return false;
    this.#pendingWrite = undefined;
    const { request, payload } = write;
    this.#carryOut(request, payload.length, () =>
      this.#withFua(request, () => this.#device.write(payload, request.offsetBytes)),
    );
    return true;
  }

  #execute(request: Request): void | Promise<void> {
    const range = { offsetBytes: request.offsetBytes, lengthBytes: request.lengthBytes };
    switch (request.command) {
      case commands.flush:
        return this.#device.flush();
      case commands.trim:
        return this.#withFua(request, () => this.#device.trim(range));
      case commands.writeZeroes: {
        const keepAllocated = (request.flags & commandFlags.noHole) !== 0;
        return this.#withFua(request, () => this.#device.writeZeroes(range, { keepAllocated }));
      }
      case commands.cache:
        return warmUp(this.#device, range, this.#signal);
      default:
        return;
    }
  }

  #withFua(request: Request, change: () => void | Promise<void>): void | Promise<void> {
    const changed = change();
    if ((request.flags & commandFlags.fua) === 0) return changed;
    return changed === undefined ? this.#device.flush() : changed.then(() => this.#device.flush());
  }

  /** Runs the work, now or in the background, and answers with its success or its error. */
  #carryOut(request: Request, payloadBytes: number, work: () => void | Promise<void>): void {
    let running: void | Promise<void>;
    try {
      running = work();
      if (running === undefined) this.#answerDone(request);
    } catch (error) {
      this.#answerFailure(request, error);
      return;
    }
    if (running === undefined) return;
    this.#inBackground(payloadBytes, running, {
      done: () => this.#answerDone(request),
      failed: (error) => this.#answerFailure(request, error),
    });
  }

  #inBackground<T>(
    payloadBytes: number,
    running: Promise<T>,
    then: { readonly done: (result: T) => void; readonly failed: (error: unknown) => void },
  ): void {
    this.#requestsInFlight += 1;
    this.#inFlightBytes += payloadBytes;
    const ended = () => {
      this.#requestsInFlight -= 1;
      this.#inFlightBytes -= payloadBytes;
      this.#onProgress();
    };
    void running.then(then.done, then.failed).then(ended);
  }

  #read(request: Request): void {
    try {
      if (this.#readsZeros(request)) this.#replies.push(encodeHoleChunk(request));
      else this.#readData(request);
    } catch (error) {
      this.#answerFailure(request, error);
    }
  }

  #readData(request: Request): void {
    const place = this.#replies.reserve(this.#readPrefixBytes + request.lengthBytes);
    const target = place.bytes.subarray(place.start + this.#readPrefixBytes, place.end);
    let count: number | Promise<number>;
    try {
      count = this.#device.read(target, request.offsetBytes, this.#signal);
    } catch (error) {
      this.#giveBack(place);
      throw error;
    }
    if (typeof count === "number") {
      this.#finishRead(place, request, count);
      return;
    }
    this.#inBackground(request.lengthBytes, count, {
      done: (later) => this.#finishRead(place, request, later),
      failed: (error) => {
        this.#giveBack(place);
        this.#answerFailure(request, error);
      },
    });
  }

  #readsZeros(request: Request): boolean {
    if (!this.#agreement.structuredReplies || request.lengthBytes < minHoleCheckBytes) return false;
    for (const extent of this.#device.extents(request)) if (extent.kind === "data") return false;
    return true;
  }

  #finishRead(place: ReplyPlace, request: Request, count: number): void {
    if (count !== request.lengthBytes) {
      this.#giveBack(place);
      this.#answerFailure(request, new Error("the disk ended before its size"));
      return;
    }
    if (this.#agreement.structuredReplies) writeDataChunkPrefix(place.bytes, place.start, request);
    else writeSimpleReply(place.bytes, place.start, request, 0);
    this.#replies.commit(place);
  }

  /** An error has another form than the data that the place was for. */
  #giveBack(place: ReplyPlace): void {
    place.end = place.start;
    this.#replies.commit(place);
  }

  #answerDone(request: Request): void {
    if (request.command === commands.blockStatus) {
      const oneOnly = (request.flags & commandFlags.reqOne) !== 0;
      const extents = statusExtents(this.#device.extents(request), oneOnly);
      this.#replies.push(encodeBlockStatus(request, { contextId: baseAllocationId, extents }));
      return;
    }
    const place = this.#replies.reserve(simpleReplyBytes);
    writeSimpleReply(place.bytes, place.start, request, 0);
    this.#replies.commit(place);
  }

  #answerFailure(request: Request, error: unknown): void {
    this.#answerError(request, errnoFor(error), errorText(error));
  }

  #answerError(request: Request, errno: number, message: string): void {
    if (this.#agreement.structuredReplies) {
      this.#replies.push(encodeErrorChunk(request, errno, message));
      return;
    }
    const place = this.#replies.reserve(simpleReplyBytes);
    writeSimpleReply(place.bytes, place.start, request, errno);
    this.#replies.commit(place);
  }
}

const warmUpBytes = 1024 * 1024;

async function warmUp(
  device: WritableDisk,
  range: { readonly offsetBytes: number; readonly lengthBytes: number },
  signal: AbortSignal,
): Promise<void> {
  const end = range.offsetBytes + range.lengthBytes;
  const scratch = Buffer.allocUnsafe(Math.min(warmUpBytes, range.lengthBytes));
  for (let offset = range.offsetBytes; offset < end; offset += scratch.length) {
    signal.throwIfAborted();
    await device.read(scratch.subarray(0, Math.min(scratch.length, end - offset)), offset, signal);
  }
}
