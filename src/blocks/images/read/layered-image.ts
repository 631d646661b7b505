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
  { store, zstd }: Pick<ImageRepository, "store" | "zstd">,
  manifest: Manifest,
  options: OpenImageOptions = {},
): StreamedImage {
  const { sizeBytes, blockSizeBytes, map } = manifest;
  const limits = { maxRequestBytes: options.maxRequestBytes ?? 1024 * 1024, maxRawBytes };
  const requestsInFlight = options.requestsInFlight ?? 4;
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // the index of every layer may be on its way
  const indexes = new Map<number, Promise<LayerIndex>>();

  /** Shared by all readers, so no reader's signal ends it; a failure is forgotten. */
  function indexOf(layer: number): Promise<LayerIndex> {
    let index = indexes.get(layer);
    if (index === undefined) {
      index = openLayer(store, refOf(layer), closing.signal).then((opened) => {
        if (opened.header.blockSizeBytes === blockSizeBytes) return opened;
        throw new KeyframeError(
          "damaged",
          `layer ${refOf(layer).id} has blocks of another size than its image`,
        );
      });
      index.catch(() => indexes.delete(layer));
      indexes.set(layer, index);
    }
    return index;
  }

  function refOf(layer: number): LayerRef {
    return must(manifest.layers[layer], "an extent names a layer that the manifest has");
  }

  async function indexesFor(range: ByteRange, signal: AbortSignal): Promise<Map<number, LayerIndex>> {
    const layers = new Set<number>();
    for (const run of blockRuns(range)) if (run.layer !== zeroLayer) layers.add(run.layer);
    const opened = await unlessAborted(
      Promise.all([...layers].map(async (layer) => [layer, await indexOf(layer)] as const)),
      signal,
    );
    return new Map(opened);
  }

  function blockRuns({ offsetBytes, lengthBytes }: ByteRange) {
    const end = Math.ceil((offsetBytes + lengthBytes) / blockSizeBytes);
    return runsBetween(map, Math.floor(offsetBytes / blockSizeBytes), lengthBytes === 0 ? 0 : end);
  }

  function startFetch(fetch: PlannedFetch, signal: AbortSignal): FetchInProgress {
    return collectFrames(async (deliver) => {
      if (fetch.run === undefined) return;
      for await (const { frame, stored } of readStoredFrames(store, refOf(fetch.layer), {
        ...fetch.run,
        signal,
      })) {
        const raw = decodeFrame(zstd, frame, { stored, blockSizeBytes });
        deliver(frame.codec === codecs.raw ? Buffer.from(raw) : raw);
      }
    });
  }

  return {
    sizeBytes,
    blockSizeBytes,
    async *stream(range, signal) {
      checkInside(range, sizeBytes);
      if (closing.signal.aborted) throw closing.signal.reason;
      signal.throwIfAborted();
      if (range.lengthBytes === 0) return;
      const stop = new AbortController();
      const linked = AbortSignal.any([signal, closing.signal, stop.signal]);
      try {
        const opened = await indexesFor(range, linked);
        const image = {
          map,
          blockSizeBytes,
          indexOf: (layer: number) => must(opened.get(layer), "an index is open"),
        };
        const plan = planFetches(image, range, limits);
        const underWay: { readonly planned: PlannedFetch; readonly fetch: FetchInProgress }[] = [];
        for (;;) {
          while (underWay.length < requestsInFlight) {
            const next = plan.next();
            if (next.done === true) break;
            underWay.push({ planned: next.value, fetch: startFetch(next.value, linked) });
          }
          const current = underWay.shift();
          if (current === undefined) return;
          for await (const piece of piecesOf(current.planned, current.fetch, blockSizeBytes)) {
            linked.throwIfAborted();
            yield piece;
          }
        }
      } finally {
        stop.abort(new KeyframeError("closed", "the stream of the image is no longer read"));
      }
    },
    *extents(range) {
      checkInside(range, sizeBytes);
      const end = range.offsetBytes + range.lengthBytes;
      let open: ImageExtent | undefined;
      for (const run of blockRuns(range)) {
        const from = Math.max(range.offsetBytes, run.startBlock * blockSizeBytes);
        const to = Math.min(end, (run.startBlock + run.blockCount) * blockSizeBytes);
        const kind = run.layer === zeroLayer ? "zero" : "data";
        if (open?.kind === kind) open = { ...open, lengthBytes: to - open.offsetBytes };
        else {
          if (open !== undefined) yield open;
          open = { kind, offsetBytes: from, lengthBytes: to - from };
        }
      }
      if (open !== undefined) yield open;
    },
    async close() {
      closing.abort(new KeyframeError("closed", "the image is closed"));
    },
  };
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
