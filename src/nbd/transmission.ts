import { errorText } from "../base/errors.ts";
import type { BlockDevice } from "../blocks/block-device.ts";
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
  onProgress(): void;
}

/**
 * The request phase of one connection. Requests are carried out as they come and answered as they end, in any order;
 * no more are taken while too much is under way or unread by the client.
 */
export interface Transmission {
  /**
   * Takes requests from the input while it can. "blocked" wants no more input before the next call; "finished" comes
   * after the client's goodbye when all is answered; "broken" is input that is not the protocol.
   */
  pump(): "hungry" | "blocked" | "finished" | "broken";
}

interface PendingWrite {
  readonly request: Request;
  readonly payload: Buffer;
  filledBytes: number;
}

/** Reads at least this long are asked first whether they are zeros. */
const minHoleCheckBytes = 32 * 1024;

export function createTransmission(options: TransmissionOptions): Transmission {
  const { agreement, input, replies, signal } = options;
  const { device } = agreement.export;
  const rules: RequestRules = {
    sizeBytes: device.sizeBytes,
    readOnly: device.readOnly,
    blockStatus: agreement.blockStatus,
  };
  const readPrefixBytes = agreement.structuredReplies ? dataChunkPrefixBytes : simpleReplyBytes;
  let requestsInFlight = 0;
  let inFlightBytes = 0;
  let pendingWrite: PendingWrite | undefined;
  let skipBytes = 0;
  let saidGoodbye = false;

  function pump(): ReturnType<Transmission["pump"]> {
    for (;;) {
      if (skipBytes > 0) skipBytes -= input.skip(skipBytes);
      if (skipBytes > 0) return "hungry";
      if (pendingWrite !== undefined && !fillWrite(pendingWrite)) return "hungry";
      if (saidGoodbye) return requestsInFlight === 0 ? "finished" : "blocked";
      if (isBusy()) return "blocked";
      const header = input.take(requestBytes);
      if (header === undefined) return "hungry";
      const request = parseRequest(header);
      if (request === undefined) return "broken";
      take(request);
    }
  }

  function isBusy(): boolean {
    return (
      requestsInFlight >= maxRequestsInFlight ||
      inFlightBytes >= maxInFlightBytes ||
      replies.queuedBytes() >= maxQueuedReplyBytes
    );
  }

  function take(request: Request): void {
    if (request.command === commands.disconnect) {
      saidGoodbye = true;
      return;
    }
    const errno = checkRequest(request, rules);
    if (errno !== undefined) {
      // the payload of a refused write follows all the same
      if (request.command === commands.write) skipBytes = request.lengthBytes;
      answerError(request, errno, "this request is not valid here");
      return;
    }
    if (request.command === commands.read) {
      read(request);
      return;
    }
    if (request.command === commands.write) {
      pendingWrite = { request, payload: Buffer.allocUnsafe(request.lengthBytes), filledBytes: 0 };
      return;
    }
    carryOut(request, 0, () => execute(request));
  }

  function fillWrite(write: PendingWrite): boolean {
    write.filledBytes += input.moveInto(write.payload, write.filledBytes);
    if (write.filledBytes < write.payload.length) return false;
    pendingWrite = undefined;
    const { request, payload } = write;
    carryOut(request, payload.length, () =>
      withFua(request, () => device.write(payload, request.offsetBytes)),
    );
    return true;
  }

  function execute(request: Request): void | Promise<void> {
    const range = { offsetBytes: request.offsetBytes, lengthBytes: request.lengthBytes };
    switch (request.command) {
      case commands.flush:
        return device.flush();
      case commands.trim:
        return withFua(request, () => device.trim(range));
      case commands.writeZeroes: {
        const keepAllocated = (request.flags & commandFlags.noHole) !== 0;
        return withFua(request, () => device.writeZeroes(range, { keepAllocated }));
      }
      case commands.cache:
        return warmUp(device, range, signal);
      default:
        return;
    }
  }

  function withFua(request: Request, change: () => void | Promise<void>): void | Promise<void> {
    const changed = change();
    if ((request.flags & commandFlags.fua) === 0) return changed;
    return changed === undefined ? device.flush() : changed.then(() => device.flush());
  }

  /** Runs the work, now or in the background, and answers with its success or its error. */
  function carryOut(request: Request, payloadBytes: number, work: () => void | Promise<void>): void {
    let running: void | Promise<void>;
    try {
      running = work();
      if (running === undefined) answerDone(request);
    } catch (error) {
      answerFailure(request, error);
      return;
    }
    if (running === undefined) return;
    inBackground(payloadBytes, running, {
      done: () => answerDone(request),
      failed: (error) => answerFailure(request, error),
    });
  }

  function inBackground<T>(
    payloadBytes: number,
    running: Promise<T>,
    then: { readonly done: (result: T) => void; readonly failed: (error: unknown) => void },
  ): void {
    requestsInFlight += 1;
    inFlightBytes += payloadBytes;
    const ended = () => {
      requestsInFlight -= 1;
      inFlightBytes -= payloadBytes;
      options.onProgress();
    };
    void running.then(then.done, then.failed).then(ended);
  }

  function read(request: Request): void {
    try {
      if (readsZeros(request)) replies.push(encodeHoleChunk(request));
      else readData(request);
    } catch (error) {
      answerFailure(request, error);
    }
  }

  function readData(request: Request): void {
    const place = replies.reserve(readPrefixBytes + request.lengthBytes);
    const target = place.bytes.subarray(place.start + readPrefixBytes, place.end);
    let count: number | Promise<number>;
    try {
      count = device.read(target, request.offsetBytes, signal);
    } catch (error) {
      giveBack(place);
      throw error;
    }
    if (typeof count === "number") {
      finishRead(place, request, count);
      return;
    }
    inBackground(request.lengthBytes, count, {
      done: (later) => finishRead(place, request, later),
      failed: (error) => {
        giveBack(place);
        answerFailure(request, error);
      },
    });
  }

  function readsZeros(request: Request): boolean {
    if (!agreement.structuredReplies || request.lengthBytes < minHoleCheckBytes) return false;
    for (const extent of device.extents(request)) if (extent.kind === "data") return false;
    return true;
  }

  function finishRead(place: ReplyPlace, request: Request, count: number): void {
    if (count !== request.lengthBytes) {
      giveBack(place);
      answerFailure(request, new Error("the disk ended before its size"));
      return;
    }
    if (agreement.structuredReplies) writeDataChunkPrefix(place.bytes, place.start, request);
    else writeSimpleReply(place.bytes, place.start, request, 0);
    replies.commit(place);
  }

  /** An error has another form than the data that the place was for. */
  function giveBack(place: ReplyPlace): void {
    place.end = place.start;
    replies.commit(place);
  }

  function answerDone(request: Request): void {
    if (request.command === commands.blockStatus) {
      const oneOnly = (request.flags & commandFlags.reqOne) !== 0;
      const extents = statusExtents(device.extents(request), oneOnly);
      replies.push(encodeBlockStatus(request, { contextId: baseAllocationId, extents }));
      return;
    }
    const place = replies.reserve(simpleReplyBytes);
    writeSimpleReply(place.bytes, place.start, request, 0);
    replies.commit(place);
  }

  function answerFailure(request: Request, error: unknown): void {
    answerError(request, errnoFor(error), errorText(error));
  }

  function answerError(request: Request, errno: number, message: string): void {
    if (agreement.structuredReplies) {
      replies.push(encodeErrorChunk(request, errno, message));
      return;
    }
    const place = replies.reserve(simpleReplyBytes);
    writeSimpleReply(place.bytes, place.start, request, errno);
    replies.commit(place);
  }

  return { pump };
}

const warmUpBytes = 1024 * 1024;

async function warmUp(
  device: BlockDevice,
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
