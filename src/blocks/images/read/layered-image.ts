import { setMaxListeners } from "node:events";
import { must } from "../../../base/assert.ts";
import { KeyframeError } from "../../../base/errors.ts";
import { runsBetween, zeroLayer } from "../../formats/extent-map.ts";
import { decodeFrame } from "../../formats/frame-codec.ts";
import { codecs, type LayerIndex } from "../../formats/layer-format.ts";
import type { LayerRef, Manifest } from "../../formats/manifest-format.ts";
import type { ByteRange, ImageExtent, StreamedImage } from "../../streamed-image.ts";
import type { ImageRepository } from "../repository/image-repository.ts";
import { type PlannedFetch, planFetches } from "./fetch-plan.ts";
import { openLayer, readStoredFrames } from "./open-layer.ts";

export interface OpenImageOptions {
  /** Stored bytes of one request at most; 1 MiB. */
  readonly maxRequestBytes?: number;
  /** Requests that are under way at the same time for one stream; 4. */
  readonly requestsInFlight?: number;
}

/** Raw bytes that one request may hold in memory. */
const maxRawBytes = 4 * 1024 * 1024;
const zeroPieceBytes = 1024 * 1024;

/** The verified bytes of an image, fetched from a store when they are asked for. Indexes of layers are read once. */
export function openImage(
  repository: Pick<ImageRepository, "store" | "zstd">,
  manifest: Manifest,
  options: OpenImageOptions = {},
): StreamedImage {
  return new LayeredImage(repository, manifest, options);
}

class LayeredImage implements StreamedImage {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly #store: ImageRepository["store"];
  readonly #zstd: ImageRepository["zstd"];
  readonly #manifest: Manifest;
  readonly #limits: { readonly maxRequestBytes: number; readonly maxRawBytes: number };
  readonly #requestsInFlight: number;
  readonly #closing = new AbortController();
  readonly #indexes = new Map<number, Promise<LayerIndex>>();

  constructor(
    { store, zstd }: Pick<ImageRepository, "store" | "zstd">,
    manifest: Manifest,
    { maxRequestBytes = 1024 * 1024, requestsInFlight = 4 }: OpenImageOptions,
  ) {
    this.sizeBytes = manifest.sizeBytes;
    this.blockSizeBytes = manifest.blockSizeBytes;
    this.#store = store;
    this.#zstd = zstd;
    this.#manifest = manifest;
    this.#limits = { maxRequestBytes, maxRawBytes };
    this.#requestsInFlight = requestsInFlight;
    setMaxListeners(0, this.#closing.signal); // the index of every layer may be on its way
  }

  async *stream(range: ByteRange, signal: AbortSignal): AsyncGenerator<Buffer> {
    checkInside(range, this.sizeBytes);
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
    signal.throwIfAborted();
    if (range.lengthBytes === 0) return;
    const stop = new AbortController();
    const linked = AbortSignal.any([signal, this.#closing.signal, stop.signal]);
    try {
      yield* this.#fetchInOrder(await this.#planOf(range, linked), linked);
    } finally {
      stop.abort(new KeyframeError("closed", "the stream of the image is no longer read"));
    }
  }

  async #planOf(range: ByteRange, signal: AbortSignal): Promise<Iterator<PlannedFetch>> {
    const opened = await this.#indexesFor(range, signal);
    const image = {
      map: this.#manifest.map,
      blockSizeBytes: this.blockSizeBytes,
      indexOf: (layer: number) => must(opened.get(layer), "an index is open"),
    };
    return planFetches(image, range, this.#limits);
  }

  /** The bytes of a plan in order, while requests for what follows are under way. */
  async *#fetchInOrder(plan: Iterator<PlannedFetch>, signal: AbortSignal): AsyncGenerator<Buffer> {
    const underWay: { readonly planned: PlannedFetch; readonly fetch: FetchInProgress }[] = [];
    for (;;) {
      while (underWay.length < this.#requestsInFlight) {
        const next = plan.next();
        if (next.done === true) break;
        underWay.push({ planned: next.value, fetch: this.#startFetch(next.value, signal) });
      }
      const current = underWay.shift();
      if (current === undefined) return;
      for await (const piece of piecesOf(current.planned, current.fetch, this.blockSizeBytes)) {
        signal.throwIfAborted();
        yield piece;
      }
    }
  }

  /** Shared by all readers, so no reader's signal ends it; a failure is forgotten. */
  #indexOf(layer: number): Promise<LayerIndex> {
    let index = this.#indexes.get(layer);
    if (index === undefined) {
      index = openLayer(this.#store, this.#refOf(layer), this.#closing.signal).then((opened) => {
        if (opened.header.blockSizeBytes === this.blockSizeBytes) return opened;
        throw new KeyframeError(
          "damaged",
          `layer ${this.#refOf(layer).id} has blocks of another size than its image`,
        );
      });
      index.catch(() => this.#indexes.delete(layer));
      this.#indexes.set(layer, index);
    }
    return index;
  }

  #refOf(layer: number): LayerRef {
    return must(this.#manifest.layers[layer], "an extent names a layer that the manifest has");
  }

  async #indexesFor(range: ByteRange, signal: AbortSignal): Promise<Map<number, LayerIndex>> {
    const layers = new Set<number>();
    for (const run of this.#blockRuns(range)) if (run.layer !== zeroLayer) layers.add(run.layer);
    const opened = await unlessAborted(
      Promise.all([...layers].map(async (layer) => [layer, await this.#indexOf(layer)] as const)),
      signal,
    );
    return new Map(opened);
  }

  #blockRuns({ offsetBytes, lengthBytes }: ByteRange) {
    const end = Math.ceil((offsetBytes + lengthBytes) / this.blockSizeBytes);
    return runsBetween(
      this.#manifest.map,
      Math.floor(offsetBytes / this.blockSizeBytes),
      lengthBytes === 0 ? 0 : end,
    );
  }

  #startFetch(fetch: PlannedFetch, signal: AbortSignal): FetchInProgress {
    return collectFrames(async (deliver) => {
      if (fetch.run === undefined) return;
      for await (const { frame, stored } of readStoredFrames(this.#store, this.#refOf(fetch.layer), {
        ...fetch.run,
        signal,
      })) {
        const raw = decodeFrame(this.#zstd, frame, { stored, blockSizeBytes: this.blockSizeBytes });
        deliver(frame.codec === codecs.raw ? Buffer.from(raw) : raw);
      }
    });
  }

  *extents(range: ByteRange): Generator<ImageExtent> {
    checkInside(range, this.sizeBytes);
    const end = range.offsetBytes + range.lengthBytes;
    let open: ImageExtent | undefined;
    for (const run of this.#blockRuns(range)) {
      const from = Math.max(range.offsetBytes, run.startBlock * this.blockSizeBytes);
      const to = Math.min(end, (run.startBlock + run.blockCount) * this.blockSizeBytes);
      const kind = run.layer === zeroLayer ? "zero" : "data";
      if (open?.kind === kind) open = { ...open, lengthBytes: to - open.offsetBytes };
      else {
        if (open !== undefined) yield open;
        open = { kind, offsetBytes: from, lengthBytes: to - from };
      }
    }
    if (open !== undefined) yield open;
  }

  async close(): Promise<void> {
    this.#closing.abort(new KeyframeError("closed", "the image is closed"));
  }
}

interface FetchInProgress {
  /** The raw bytes of a frame once they are there. One caller at a time. */
  frame(place: number): Promise<Buffer>;
}

/** Runs at once and keeps what it delivers until the fetch is dropped; its failure shows where a frame is missing. */
function collectFrames(fetch: (deliver: (raw: Buffer) => void) => Promise<void>): FetchInProgress {
  const ready: Buffer[] = [];
  let end: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const finish = (error: unknown) => {
    end = { error };
    wake?.();
  };
  fetch((raw) => {
    ready.push(raw);
    wake?.();
  }).then(
    () => finish(new KeyframeError("store-unavailable", "a request ended before its last frame")),
    finish,
  );
  return {
    async frame(place) {
      for (;;) {
        const raw = ready[place];
        if (raw !== undefined) return raw;
        if (end !== undefined) throw end.error;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

async function* piecesOf(
  planned: PlannedFetch,
  fetch: FetchInProgress,
  blockSizeBytes: number,
): AsyncGenerator<Buffer> {
  const uses = new Map<number, number>();
  for (const piece of planned.pieces) {
    if (piece.kind === "frame") uses.set(piece.frame, (uses.get(piece.frame) ?? 0) + 1);
  }
  for (const piece of planned.pieces) {
    if (piece.kind === "zero") yield* zeroPieces(piece, blockSizeBytes);
    else {
      const bytes = (await fetch.frame(piece.frame)).subarray(piece.startBytes, piece.endBytes);
      // the consumer may write into what it gets: a frame that is used again is given out as a copy
      yield uses.get(piece.frame) === 1 ? bytes : Buffer.from(bytes);
    }
  }
}

/** New memory for each, because it belongs to the consumer; each ends with a block. */
function* zeroPieces({ offsetBytes, lengthBytes }: ByteRange, blockSizeBytes: number): Generator<Buffer> {
  const end = offsetBytes + lengthBytes;
  for (let at = offsetBytes; at < end; ) {
    const aligned =
      Math.floor((at + Math.max(zeroPieceBytes, blockSizeBytes)) / blockSizeBytes) * blockSizeBytes;
    const next = Math.min(end, aligned);
    yield Buffer.alloc(next - at);
    at = next;
  }
}

function checkInside({ offsetBytes, lengthBytes }: ByteRange, sizeBytes: number): void {
  const isInside =
    Number.isSafeInteger(offsetBytes) &&
    Number.isSafeInteger(lengthBytes) &&
    offsetBytes >= 0 &&
    lengthBytes >= 0 &&
    offsetBytes + lengthBytes <= sizeBytes;
  if (isInside) return;
  throw new KeyframeError(
    "invalid-input",
    `bytes ${offsetBytes} to ${offsetBytes + lengthBytes} are not inside an image of ${sizeBytes} bytes`,
  );
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
