import { KeyframeError } from "../../base/errors.ts";
import { type BlockRun, runsOf, zeroLayer } from "../formats/extent-map.ts";
import type { Manifest } from "../formats/manifest-format.ts";
import type { ByteRange } from "../streamed-image.ts";
import { openImage } from "./read/layered-image.ts";
import type { ImageRepository } from "./repository/image-repository.ts";

/** Runs of blocks that come from different places, so that they may differ. Blocks past the end of the shorter image are not in it. */
function* runsThatMayDiffer(a: Manifest, b: Manifest): Generator<{ startBlock: number; endBlock: number }> {
  const end = Math.min(a.map.blockCount, b.map.blockCount);
  const left = runsOf(a.map);
  const right = runsOf(b.map);
  let x = left.next();
  let y = right.next();
  let at = 0;
  let open: { startBlock: number; endBlock: number } | undefined;
  while (at < end && x.done !== true && y.done !== true) {
    const xEnd = x.value.startBlock + x.value.blockCount;
    const yEnd = y.value.startBlock + y.value.blockCount;
    const next = Math.min(xEnd, yEnd, end);
    if (placeAt(a, x.value, at) === placeAt(b, y.value, at)) {
      if (open !== undefined) yield open;
      open = undefined;
    } else if (open === undefined) open = { startBlock: at, endBlock: next };
    else open.endBlock = next;
    at = next;
    if (at === xEnd) x = left.next();
    if (at === yEnd) y = right.next();
  }
  if (open !== undefined) yield open;
}

function placeAt(manifest: Manifest, run: BlockRun, block: number): string {
  if (run.layer === zeroLayer) return "zeros";
  return `${manifest.layers[run.layer]?.id} ${run.packedBlock + (block - run.startBlock)}`;
}

const compareBytes = 4 * 1024 * 1024;

/** Where two images differ, in whole blocks, ascending and joined; only what may differ is read. The longer image's rest is one range. */
export async function* diffImages(
  repository: Pick<ImageRepository, "store" | "zstd">,
  { a, b }: { readonly a: Manifest; readonly b: Manifest },
  signal: AbortSignal,
): AsyncGenerator<ByteRange> {
  if (a.blockSizeBytes !== b.blockSizeBytes) {
    throw new KeyframeError(
      "invalid-input",
      `the images have blocks of ${a.blockSizeBytes} and ${b.blockSizeBytes} bytes and cannot be compared`,
    );
  }
  const { blockSizeBytes } = a;
  const commonBytes = Math.min(a.sizeBytes, b.sizeBytes);
  const images = { a: openImage(repository, a), b: openImage(repository, b) };
  let open: { offsetBytes: number; lengthBytes: number } | undefined;
  try {
    for (const run of runsThatMayDiffer(a, b)) {
      const runEnd = Math.min(commonBytes, run.endBlock * blockSizeBytes);
      for (let at = run.startBlock * blockSizeBytes; at < runEnd; at += compareBytes) {
        const range = { offsetBytes: at, lengthBytes: Math.min(compareBytes, runEnd - at) };
        const [left, right] = await Promise.all([
          readWhole(images.a, range, signal),
          readWhole(images.b, range, signal),
        ]);
        for (const found of differentBlocks(left, right, blockSizeBytes)) {
          const offsetBytes = at + found.offsetBytes;
          if (open !== undefined && open.offsetBytes + open.lengthBytes === offsetBytes)
            open.lengthBytes += found.lengthBytes;
          else {
            if (open !== undefined) yield open;
            open = { offsetBytes, lengthBytes: found.lengthBytes };
          }
        }
      }
    }
    if (open !== undefined) yield open;
    const longest = Math.max(a.sizeBytes, b.sizeBytes);
    if (longest > commonBytes) yield { offsetBytes: commonBytes, lengthBytes: longest - commonBytes };
  } finally {
    await Promise.all([images.a.close(), images.b.close()]);
  }
}

async function readWhole(
  image: ReturnType<typeof openImage>,
  range: ByteRange,
  signal: AbortSignal,
): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(range.lengthBytes);
  let filled = 0;
  for await (const piece of image.stream(range, signal)) filled += piece.copy(whole, filled);
  return whole;
}

function* differentBlocks(left: Buffer, right: Buffer, blockSizeBytes: number): Generator<ByteRange> {
  for (let at = 0; at < left.length; at += blockSizeBytes) {
    const end = Math.min(left.length, at + blockSizeBytes);
    if (left.compare(right, at, end, at, end) !== 0) yield { offsetBytes: at, lengthBytes: end - at };
  }
}
