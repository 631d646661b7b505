// Covers src/blocks/cache/**.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createSteppedGate,
  eventually,
  memoryImage,
  patternBytes,
  settle,
} from "../../support/memory-image.ts";
import { expectBytes, openTestCache, readBytes, sliceOf } from "../../support/open-test-cache.ts";

const block = 4096;
const chunk = 4 * 1024 * 1024;
const lastBlock = chunk - block;

test("the first block of a cold image is read with one open", async () => {
  const image = memoryImage(patternBytes(chunk));
  const cache = openTestCache(image);
  expectBytes(await readBytes(cache, 0, block), sliceOf(image.content, 0, block));
  expect(image.opened.length).toBe(1);
  await cache.close();
});

test("a second read of the same range opens nothing and answers without waiting", async () => {
  const image = memoryImage(patternBytes(chunk));
  const cache = openTestCache(image);
  await readBytes(cache, 0, block);
  const opens = image.opened.length;
  expect(cache.read(Buffer.alloc(block), 0)).toBe(block);
  expect(image.opened.length).toBe(opens);
  await cache.close();
});

test("the first and then the last block of a chunk come from one open", async () => {
  const image = memoryImage(patternBytes(chunk));
  const cache = openTestCache(image, { streamsPerChunk: 1 });
  await readBytes(cache, 0, block);
  expectBytes(await readBytes(cache, lastBlock, block), sliceOf(image.content, lastBlock, block));
  expect(image.opened.length).toBe(1);
  await cache.close();
});

test("ten readers of the same block share one open", async () => {
  const image = memoryImage(patternBytes(chunk));
  const cache = openTestCache(image);
  const reads = Array.from({ length: 10 }, () => readBytes(cache, 5 * block, block));
  for (const bytes of await Promise.all(reads)) expectBytes(bytes, sliceOf(image.content, 5 * block, block));
  expect(image.opened.length).toBe(1);
  await cache.close();
});

test("a reader is answered when its own blocks are there, and the last reader when the last one is", async () => {
  const stepped = createSteppedGate();
  const image = memoryImage(patternBytes(chunk), { gate: stepped.gate });
  const cache = openTestCache(image, { streamsPerChunk: 1 });
  let lastDone = false;
  const first = readBytes(cache, 0, block);
  const last = readBytes(cache, lastBlock, block).then((bytes) => {
    lastDone = true;
    return bytes;
  });
  stepped.step();
  await first;
  await settle();
  expect(lastDone).toBe(false);
  stepped.step(chunk / (16 * 1024));
  expectBytes(await last, sliceOf(image.content, lastBlock, block));
  await cache.close();
});

test.each([
  { blockBytes: 4096, blocks: [1, 512, 1022] },
  { blockBytes: 2 * 1024 * 1024, blocks: [0, 1] },
])(
  "with one stream a chunk, blocks $blocks of $blockBytes bytes are released in their order",
  async (row) => {
    const stepped = createSteppedGate();
    const image = memoryImage(patternBytes(chunk), { gate: stepped.gate, blockSizeBytes: row.blockBytes });
    const cache = openTestCache(image, { streamsPerChunk: 1 });
    const order: number[] = [];
    const reads = row.blocks.map((index) =>
      readBytes(cache, index * row.blockBytes, block).then(() => order.push(index)),
    );
    for (let step = 0; step < chunk / (16 * 1024); step += 1) {
      stepped.step();
      await settle(2);
    }
    await Promise.all(reads);
    expect(order).toEqual(row.blocks);
    await cache.close();
  },
);

test("a blocked reader's bytes are the first that are asked for", async () => {
  const image = memoryImage(patternBytes(chunk), { gate: () => new Promise(() => undefined) });
  const cache = openTestCache(image);
  const reads = [415, 996, 711].map((index) => readBytes(cache, index * block, block));
  await settle();
  expect(image.opened.map((stream) => stream.offsetBytes / block)).toEqual([415, 996, 711]);
  const closing = cache.close();
  for (const read of reads) await expect(read).rejects.toMatchObject({ code: "closed" });
  await closing;
});

test("a fetch that fails midway keeps what arrived, and no byte of it is asked for again", async () => {
  let broken = true;
  const image = memoryImage(patternBytes(chunk), {
    gate: ({ offsetBytes }) => {
      if (broken && offsetBytes >= chunk / 2) throw new Error("connection lost");
    },
  });
  const cache = openTestCache(image, { streamsPerChunk: 1 });
  const first = readBytes(cache, 0, block);
  await expect(readBytes(cache, lastBlock, block)).rejects.toThrow("connection lost");
  expectBytes(await first, sliceOf(image.content, 0, block));
  broken = false;
  const opens = image.opened.length;
  expect(await readBytes(cache, chunk / 2 - block, block)).toEqual(
    sliceOf(image.content, chunk / 2 - block, block),
  );
  expect(image.opened.length).toBe(opens);
  expectBytes(await readBytes(cache, 0, chunk), image.content);
  expect(image.opened[opens]?.offsetBytes).toBe(chunk / 2);
  expect(new Set(image.deliveries)).toEqual(new Set([1]));
  await cache.close();
});

test("a failed open is not remembered", async () => {
  let failures = 1;
  const image = memoryImage(patternBytes(chunk), {
    gate: () => {
      if (failures-- > 0) throw new Error("503");
    },
  });
  const cache = openTestCache(image);
  await expect(readBytes(cache, 0, block)).rejects.toThrow("503");
  expectBytes(await readBytes(cache, 0, block), sliceOf(image.content, 0, block));
  await cache.close();
});

test("a failed fetch wakes every waiter of the chunk with the cause", async () => {
  const image = memoryImage(patternBytes(chunk), {
    gate: async () => {
      await settle(2);
      throw new Error("gone");
    },
  });
  const cache = openTestCache(image);
  const reads = Array.from({ length: 64 }, (_, index) => readBytes(cache, index * 16 * block, block));
  const results = await Promise.allSettled(reads);
  expect(results.map((result) => result.status === "rejected" && result.reason.message)).toEqual(
    Array.from({ length: 64 }, () => "gone"),
  );
  await cache.close();
});

test("a piece of two blocks releases the waiters of these two blocks and of no other", async () => {
  const stepped = createSteppedGate();
  const image = memoryImage(patternBytes(chunk), { gate: stepped.gate, pieceBytes: 2 * block });
  const cache = openTestCache(image, { streamsPerChunk: 1 });
  const released: number[] = [];
  const reads = Array.from({ length: 512 }, (_, index) =>
    readBytes(cache, index * block, block).then(() => released.push(index)),
  );
  stepped.step();
  await settle();
  expect(released).toEqual([0, 1]);
  stepped.step(1000);
  await Promise.all(reads);
  expect(released.length).toBe(512);
  await cache.close();
});

test("a reader that gives up does not stop the fetch for the others", async () => {
  const stepped = createSteppedGate();
  const image = memoryImage(patternBytes(chunk), { gate: stepped.gate });
  const cache = openTestCache(image);
  const impatience = new AbortController();
  const first = readBytes(cache, 0, block, impatience.signal);
  const second = readBytes(cache, block, block);
  impatience.abort(new Error("changed my mind"));
  await expect(first).rejects.toThrow("changed my mind");
  stepped.step();
  expectBytes(await second, sliceOf(image.content, block, block));
  expect(image.opened.length).toBe(1);
  const closing = cache.close();
  stepped.step(1000);
  await closing;
});

test("the fetch goes on to the end of the chunk after its only reader gave up", async () => {
  const stepped = createSteppedGate();
  const image = memoryImage(patternBytes(chunk), { gate: stepped.gate });
  const cache = openTestCache(image);
  const impatience = new AbortController();
  const read = readBytes(cache, 0, block, impatience.signal);
  impatience.abort(new Error("gone"));
  await expect(read).rejects.toThrow("gone");
  stepped.step(1000);
  await eventually(() => cache.presentBlocks() === 1024);
  expect(cache.read(Buffer.alloc(block), lastBlock)).toBe(block);
  expect(image.opened.length).toBe(1);
  await cache.close();
});

test("a signal that fired before the read opens nothing", async () => {
  const image = memoryImage(patternBytes(chunk));
  const cache = openTestCache(image);
  await expect(readBytes(cache, 0, block, AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  expect(image.opened.length).toBe(0);
  await cache.close();
});

test("closing wakes the blocked, ends a stream that ignores its signal, and refuses later reads", async () => {
  const image = memoryImage(patternBytes(chunk), { gate: () => new Promise(() => undefined) });
  const cache = openTestCache(image);
  const read = readBytes(cache, 0, block);
  await settle();
  const closing = cache.close();
  await expect(read).rejects.toMatchObject({ code: "closed" });
  await closing;
  expect(image.state.closed).toBe(true);
  expect(() => cache.read(Buffer.alloc(1), 0)).toThrow(/closed/);
  await cache.close();
});

test("the last partial block is read short and never past its end", async () => {
  const image = memoryImage(patternBytes(chunk - 100));
  const cache = openTestCache(image);
  expect((await readBytes(cache, lastBlock, block)).length).toBe(block - 100);
  expectBytes(await readBytes(cache, lastBlock, block), sliceOf(image.content, lastBlock, block));
  expectBytes(await readBytes(cache, chunk - 100, block), Buffer.alloc(0));
  await cache.close();
});

test("a read across two chunks asks for each once", async () => {
  const image = memoryImage(patternBytes(2 * chunk));
  const cache = openTestCache(image);
  const offset = chunk - block;
  expectBytes(await readBytes(cache, offset, 2 * block), sliceOf(image.content, offset, 2 * block));
  expect(image.opened.slice(0, 2).map((stream) => stream.offsetBytes)).toEqual([offset, chunk]);
  await cache.close();
});

test("a source that throws in mid-stream reaches the waiter of the tail", async () => {
  const image = memoryImage(patternBytes(chunk), {
    gate: ({ offsetBytes }) => {
      if (offsetBytes >= chunk / 2) throw new TypeError("a bug in the store");
    },
  });
  const cache = openTestCache(image, { streamsPerChunk: 1 });
  const head = readBytes(cache, 0, block);
  await expect(readBytes(cache, lastBlock, block)).rejects.toThrow("a bug in the store");
  expectBytes(await head, sliceOf(image.content, 0, block));
  await cache.close();
});

test("a stream that ends early is an error each time, never zeros", async () => {
  const image = memoryImage(patternBytes(chunk));
  const truncatedImage = {
    ...image,
    async *stream(range: { offsetBytes: number; lengthBytes: number }, signal: AbortSignal) {
      const lengthBytes = Math.min(range.lengthBytes, 3 * 1024 * 1024 - range.offsetBytes);
      if (lengthBytes > 0) yield* image.stream({ ...range, lengthBytes }, signal);
    },
  };
  const cache = openTestCache(truncatedImage);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(readBytes(cache, lastBlock, block)).rejects.toMatchObject({ code: "damaged" });
  }
  expectBytes(await readBytes(cache, 0, block), sliceOf(image.content, 0, block));
  await cache.close();
});

test("a stream that yields more than was asked for is an error", async () => {
  const image = memoryImage(patternBytes(chunk));
  const cache = openTestCache({
    ...image,
    async *stream() {
      yield Buffer.alloc(chunk + 1);
    },
  });
  await expect(readBytes(cache, 0, block)).rejects.toMatchObject({ code: "damaged" });
  expect(cache.presentBlocks()).toBe(0);
  await cache.close();
});

test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
  "position %d is refused",
  async (offset) => {
    const cache = openTestCache(memoryImage(patternBytes(16), { blockSizeBytes: 512 }));
    expect(() => cache.read(Buffer.alloc(4), offset)).toThrow(
      expect.objectContaining({ code: "invalid-input" }),
    );
    await cache.close();
  },
);

test("reads at the end, past it and of no length answer nothing and open nothing", async () => {
  const image = memoryImage(patternBytes(16), { blockSizeBytes: 512 });
  const cache = openTestCache(image);
  for (const offset of [16, 32, 2 ** 52]) expect(cache.read(Buffer.alloc(4), offset)).toBe(0);
  for (const offset of [0, 7, 16]) expect(cache.read(Buffer.alloc(0), offset)).toBe(0);
  expect(image.opened.length).toBe(0);
  expect(cache.presentBlocks()).toBe(0);
  await cache.close();
});

test("fifty readers of random places get the right bytes and no block is asked for twice", async () => {
  const image = memoryImage(patternBytes(3 * chunk + 777), { gate: () => settle(1) });
  const cache = openTestCache(image, { fills: 2 });
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed % below;
  };
  const reader = async () => {
    for (let round = 0; round < 5; round += 1) {
      const offset = random(image.sizeBytes);
      const length = 1 + random(3 * block);
      expectBytes(await readBytes(cache, offset, length), sliceOf(image.content, offset, length));
    }
  };
  await Promise.all(Array.from({ length: 50 }, reader));
  await readBytes(cache, 3 * chunk, 1);
  await eventually(() => cache.presentBlocks() === Math.ceil(image.sizeBytes / block));
  // a stream that another took over may have had one more piece of 16 KiB under way
  expect(image.deliveries.filter((count) => count > 1).length).toBeLessThanOrEqual(image.opened.length * 4);
  await cache.close();
});

test("zero runs of the image are read without asking for them", async () => {
  const zeroBlocks = new Set(
    Array.from({ length: 1024 }, (_, index) => index).filter((index) => index >= 64 && index < 900),
  );
  const image = memoryImage(patternBytes(chunk), { zeroBlocks });
  const cache = openTestCache(image);
  expectBytes(await readBytes(cache, 100 * block, block), Buffer.alloc(block));
  expectBytes(await readBytes(cache, 0, chunk), image.content);
  expect([...zeroBlocks].every((index) => image.deliveries[index] === 0)).toBe(true);
  await cache.close();
});

test("more chunks than may be filled at once are all filled in the end", async () => {
  const image = memoryImage(patternBytes(8 * chunk), { pieceBytes: 64 * 1024 });
  const cache = openTestCache(image, { fills: 1 });
  await Promise.all(
    Array.from({ length: 8 }, (_, index) => readBytes(cache, index * chunk + 40 * block, block)),
  );
  await eventually(() => cache.presentBlocks() === 8 * 1024);
  expectBytes(await readBytes(cache, 0, 8 * chunk), image.content);
  await cache.close();
});

test("a bystander chunk of an image does not fail with its neighbour", async () => {
  const image = memoryImage(patternBytes(2 * chunk), {
    gate: ({ offsetBytes }) => {
      if (offsetBytes < chunk) throw new Error("bad chunk");
    },
  });
  const cache = openTestCache(image);
  const [bad, good] = await Promise.allSettled([readBytes(cache, 0, block), readBytes(cache, chunk, block)]);
  expect(bad.status).toBe("rejected");
  expectBytes(
    good.status === "fulfilled" ? good.value : Buffer.alloc(0),
    sliceOf(image.content, chunk, block),
  );
  await cache.close();
});

const readPlan = fc.array(
  fc.record({
    offset: fc.integer({ min: 0, max: 70_000 }),
    length: fc.integer({ min: 0, max: 20_000 }),
    giveUp: fc.boolean(),
    pause: fc.boolean(),
  }),
  { minLength: 1, maxLength: 14 },
);

test("under any interleaving of reads, failures, zeros, cuts and tracking sizes a cache answers like the bytes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        plan: readPlan,
        sizeBytes: fc.integer({ min: 0, max: 70_000 }),
        pieceBytes: fc.constantFrom(512, 700, 4096, 10_000),
        trackingBytes: fc.constantFrom(512, 2048, 8192),
        streamsPerChunk: fc.integer({ min: 1, max: 4 }),
        fills: fc.integer({ min: 0, max: 3 }),
        joinBytes: fc.constantFrom(0, 2048),
        zeros: fc.array(fc.integer({ min: 0, max: 136 }), { maxLength: 30 }),
        failEvery: fc.integer({ min: 2, max: 40 }),
      }),
      async (row) => {
        let passes = 0;
        const image = memoryImage(patternBytes(row.sizeBytes, 3), {
          blockSizeBytes: 512,
          pieceBytes: row.pieceBytes,
          zeroBlocks: new Set(row.zeros),
          gate: async () => {
            passes += 1;
            if (passes % 3 === 0) await settle(1);
            if (passes % row.failEvery === 0) throw new Error("hiccup");
          },
        });
        const cache = openTestCache(image, { ...row, chunkBytes: 8192, demandBytes: 1024 });
        const reads = row.plan.map(async ({ offset, length, giveUp, pause }, index) => {
          if (pause) await settle(index);
          const impatience = new AbortController();
          const reading = readBytes(cache, offset, length, impatience.signal);
          if (giveUp) impatience.abort(new Error("gave up"));
          try {
            expectBytes(await reading, sliceOf(image.content, offset, length));
          } catch (error) {
            expect((error as Error).message).toMatch(/^(hiccup|gave up)$/);
          }
        });
        await Promise.all(reads);
        await cache.close();
      },
    ),
    { numRuns: 150 },
  );
});

test("2 MiB tracking marks a granule only when it is there whole, and waiters are still released block by block", async () => {
  const stepped = createSteppedGate();
  const image = memoryImage(patternBytes(chunk), { gate: stepped.gate });
  const cache = openTestCache(image, { trackingBytes: 2 * 1024 * 1024, streamsPerChunk: 1 });
  const first = readBytes(cache, 0, block);
  const last = readBytes(cache, lastBlock, block);
  stepped.step();
  expectBytes(await first, sliceOf(image.content, 0, block));
  expect(cache.presentBlocks()).toBe(0);
  stepped.step(1000);
  await last;
  expect(cache.presentBlocks()).toBe(1024);
  expect(cache.read(Buffer.alloc(block), 7 * block)).toBe(block);
  await cache.close();
});

test("prefetch brings the recorded windows in their order and steps back for a blocked reader", async () => {
  const image = memoryImage(patternBytes(4 * chunk));
  const recording = openTestCache(image, { recordTouches: true });
  for (const offset of [2 * chunk, 5 * block, 3 * chunk + 300 * 1024])
    await readBytes(recording, offset, block);
  await readBytes(recording, 0, block);
  const touches = recording.recordedTouches();
  expect([...touches]).toEqual([32, 0, 49]);
  await recording.close();

  const stepped = createSteppedGate();
  const replayed = memoryImage(image.content, { gate: stepped.gate });
  const cache = openTestCache(replayed);
  const prefetching = cache.prefetch(touches);
  await settle();
  expect(replayed.opened.map((stream) => stream.offsetBytes)).toEqual([2 * chunk]);
  const demanded = readBytes(cache, chunk, block);
  await settle();
  stepped.step(2);
  expectBytes(await demanded, sliceOf(image.content, chunk, block));
  stepped.step(10_000);
  await prefetching;
  expect(replayed.opened.map((stream) => stream.offsetBytes)).toEqual([2 * chunk, chunk, 0, 49 * 256 * 1024]);
  expect(cache.read(Buffer.alloc(block), 2 * chunk + 100)).toBe(block);
  await cache.close();
});

test("a prefetched window does not fill its chunk", async () => {
  const image = memoryImage(patternBytes(chunk));
  const cache = openTestCache(image);
  await cache.prefetch([3]);
  await settle();
  expect(cache.presentBlocks()).toBe(64);
  await cache.prefetch([3, 999_999]);
  expect(image.opened.length).toBe(1);
  await cache.close();
});
