import fc from "fast-check";
import { expect, test } from "vitest";
import type { BlockWrite } from "../../../../src/blocks/images/publish/block-writes.ts";
import { commitBlocks } from "../../../../src/blocks/images/publish/commit-blocks.ts";
import { openImage } from "../../../../src/blocks/images/read/layered-image.ts";
import { findImage } from "../../../../src/blocks/images/read/read-image.ts";
import {
  memoryRepository,
  readImage,
  neverAborted as signal,
  wholeWrite,
} from "../../../support/image-repository.ts";
import { patternBytes } from "../../../support/memory-image.ts";

const blockSizeBytes = 512;

/** One generation of changes: which blocks, and the byte they are filled with; 0 means zeros. */
const generation = fc.record({
  growBlocks: fc.nat(40),
  changes: fc.array(
    fc.record({
      block: fc.nat(299),
      count: fc.integer({ min: 1, max: 150 }),
      fill: fc.nat(3),
      asZeros: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
});

function applyChanges(
  model: Buffer,
  changes: readonly { block: number; count: number; fill: number; asZeros: boolean }[],
): BlockWrite[] {
  const blockCount = Math.ceil(model.length / blockSizeBytes);
  const dirty = new Map<number, "zeros" | "data">();
  for (const { block, count, fill, asZeros } of changes) {
    for (let each = block; each < Math.min(block + count, blockCount); each += 1) {
      const bytes = model.subarray(each * blockSizeBytes, (each + 1) * blockSizeBytes);
      if (asZeros || fill === 0) bytes.fill(0);
      else bytes.fill(Buffer.from(`${fill} ${fill === 3 ? each : ""} `));
      dirty.set(each, asZeros ? "zeros" : "data");
    }
  }
  return [...dirty]
    .sort(([a], [b]) => a - b)
    .map(([blockIndex, kind]) =>
      kind === "zeros"
        ? { blockIndex, zeroBlocks: 1 }
        : {
            blockIndex,
            data: Buffer.from(model.subarray(blockIndex * blockSizeBytes, (blockIndex + 1) * blockSizeBytes)),
          },
    );
}

test("an image over any ancestors reads like a plain file with the same changes, at any range", async () => {
  const repository = await memoryRepository({ pieceBytes: 700 });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300 * blockSizeBytes }),
      fc.array(generation, { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 }),
      async (sizeBytes, generations, ranges) => {
        let model: Buffer = Buffer.alloc(sizeBytes);
        let parent: Awaited<ReturnType<typeof findImage>> | undefined;
        for (const { growBlocks, changes } of generations) {
          model = Buffer.concat([model, Buffer.alloc(growBlocks * blockSizeBytes)]);
          const writes = applyChanges(model, changes);
          const options = { sizeBytes: model.length, blockSizeBytes, signal };
          const { id } = await commitBlocks(
            repository,
            writes,
            parent === undefined ? options : { ...options, parent },
          );
          parent = await findImage(repository.store, id, signal);
        }
        if (parent === undefined) return;
        const image = openImage(repository, parent.manifest, { maxRequestBytes: 2000, requestsInFlight: 3 });
        expect((await readImage(image)).equals(model)).toBe(true);
        for (const [a, b] of ranges) {
          const [start, end] = [a % (model.length + 1), b % (model.length + 1)].sort((x, y) => x - y) as [
            number,
            number,
          ];
          const range = { offsetBytes: start, lengthBytes: end - start };
          expect((await readImage(image, range)).equals(model.subarray(start, end))).toBe(true);
          let at = start;
          for (const extent of image.extents(range)) {
            expect(extent.offsetBytes).toBe(at);
            at += extent.lengthBytes;
            if (extent.kind === "zero")
              expect(model.subarray(extent.offsetBytes, at).every((byte) => byte === 0)).toBe(true);
          }
          expect(at).toBe(end);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a range outside the image is refused, and one of no length is empty", async () => {
  const repository = await memoryRepository();
  const { manifest } = await commitBlocks(repository, wholeWrite(patternBytes(5000)), {
    sizeBytes: 5000,
    blockSizeBytes,
    signal,
  });
  const image = openImage(repository, manifest);
  for (const range of [
    { offsetBytes: 5000, lengthBytes: 1 },
    { offsetBytes: -1, lengthBytes: 1 },
    { offsetBytes: 0, lengthBytes: 5001 },
    { offsetBytes: 0.5, lengthBytes: 1 },
    { offsetBytes: 1, lengthBytes: -1 },
  ]) {
    await expect(readImage(image, range)).rejects.toMatchObject({ code: "invalid-input" });
    expect(() => [...image.extents(range)]).toThrow(expect.objectContaining({ code: "invalid-input" }));
  }
  expect(await readImage(image, { offsetBytes: 5000, lengthBytes: 0 })).toHaveLength(0);
  expect([...image.extents({ offsetBytes: 100, lengthBytes: 0 })]).toEqual([]);
});

test("frames that follow one another in storage are one request, across zeros too", async () => {
  const reads: string[] = [];
  const repository = await memoryRepository({
    faults: {
      beforeCall: ({ name, key }) => void (name === "read" && key.startsWith("layers/") && reads.push(key)),
    },
  });
  const bytes = patternBytes(1024 * 1024);
  bytes.fill(0, 300_000, 700_000);
  const { manifest } = await commitBlocks(repository, wholeWrite(bytes), {
    sizeBytes: bytes.length,
    blockSizeBytes: 4096,
    signal,
  });
  const image = openImage(repository, manifest);
  expect((await readImage(image)).equals(bytes)).toBe(true);
  expect(reads).toHaveLength(3); // header, index, all frames
  reads.length = 0;
  await readImage(image, { offsetBytes: 100, lengthBytes: 10 });
  expect(reads).toHaveLength(1);
});

test("equal windows are stored once, wherever they lie", async () => {
  const repository = await memoryRepository();
  const window = patternBytes(64 * 1024);
  const bytes = Buffer.concat([window, patternBytes(64 * 1024, 9), window, Buffer.alloc(128 * 1024), window]);
  const written = await commitBlocks(repository, wholeWrite(bytes), {
    sizeBytes: bytes.length,
    blockSizeBytes: 4096,
    signal,
  });
  expect(written.rawBytes).toBe(4 * 64 * 1024);
  expect(written.sharedBytes).toBeGreaterThan(0);
  expect(written.layer?.objectBytes).toBeLessThan(2 * 64 * 1024 + 1024);
  expect((await readImage(openImage(repository, written.manifest))).equals(bytes)).toBe(true);
});

test("the same blocks make the same image, and an image of zeros stores no layer", async () => {
  const repository = await memoryRepository();
  const options = { sizeBytes: 70_000, blockSizeBytes: 4096, signal };
  const first = await commitBlocks(repository, wholeWrite(patternBytes(70_000)), options);
  const again = await commitBlocks(repository, wholeWrite(patternBytes(70_000)), options);
  expect(again.id).toBe(first.id);
  const zeros = await commitBlocks(repository, wholeWrite(Buffer.alloc(70_000)), options);
  expect(zeros.layer).toBeUndefined();
  expect(zeros.runs).toEqual([{ startBlock: 0, blockCount: 18, layer: 0xffffffff, packedBlock: 0 }]);
  expect((await readImage(openImage(repository, zeros.manifest))).equals(Buffer.alloc(70_000))).toBe(true);
});

test("writes that are not ascending are a bug, and leave nothing behind", async () => {
  const repository = await memoryRepository();
  const block = Buffer.alloc(blockSizeBytes, 1);
  const writes = [
    { blockIndex: 3, data: block },
    { blockIndex: 0, data: block },
  ];
  await expect(commitBlocks(repository, writes, { sizeBytes: 5000, blockSizeBytes, signal })).rejects.toThrow(
    "is written after",
  );
  expect([...repository.store.objects.keys()]).toEqual([]);
  expect(repository.files.listIfExists(repository.scratchFolder)).toEqual([]);
});

test("a stream ends with the signal's reason, and a closed image with `closed`", async () => {
  const repository = await memoryRepository({ pieceBytes: 1000 });
  const bytes = patternBytes(600_000);
  const { manifest } = await commitBlocks(repository, wholeWrite(bytes), {
    sizeBytes: bytes.length,
    blockSizeBytes: 4096,
    signal,
  });
  const image = openImage(repository, manifest);
  const controller = new AbortController();
  const reading = async () => {
    for await (const piece of image.stream(
      { offsetBytes: 0, lengthBytes: bytes.length },
      controller.signal,
    )) {
      expect(piece.length).toBeGreaterThan(0);
      controller.abort(new Error("enough"));
    }
  };
  await expect(reading()).rejects.toThrow("enough");
  expect((await readImage(image)).equals(bytes)).toBe(true);
  await image.close();
  await expect(readImage(image)).rejects.toMatchObject({ code: "closed" });
});

test("an early end of a stream is an error, and nothing of the failure is remembered", async () => {
  let breakAt: number | undefined;
  const repository = await memoryRepository({
    pieceBytes: 1000,
    faults: {
      onPiece: ({ offsetBytes, piece }) =>
        breakAt !== undefined && offsetBytes >= breakAt ? undefined : piece,
    },
  });
  const bytes = patternBytes(400_000);
  const { manifest } = await commitBlocks(repository, wholeWrite(bytes), {
    sizeBytes: bytes.length,
    blockSizeBytes: 4096,
    signal,
  });
  const image = openImage(repository, manifest);
  for (breakAt of [0, 50_000, 200_000]) {
    await expect(readImage(image)).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(readImage(image)).rejects.toMatchObject({ code: "store-unavailable" });
  }
  breakAt = undefined;
  expect((await readImage(image)).equals(bytes)).toBe(true);
});

test("bytes that were damaged on the way are read once more", async () => {
  let damage = 1;
  const repository = await memoryRepository({
    faults: {
      onPiece: ({ offsetBytes, piece }) => {
        if (damage > 0 && offsetBytes > 128) {
          damage -= 1;
          piece[7] = (piece[7] ?? 0) ^ 1;
        }
        return piece;
      },
    },
  });
  const bytes = patternBytes(400_000);
  const { manifest } = await commitBlocks(repository, wholeWrite(bytes), {
    sizeBytes: bytes.length,
    blockSizeBytes: 4096,
    signal,
  });
  expect((await readImage(openImage(repository, manifest))).equals(bytes)).toBe(true);
  expect(damage).toBe(0);
});
