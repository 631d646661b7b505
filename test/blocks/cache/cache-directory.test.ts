import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyframeError } from "../../../src/base/errors.ts";
import { encodeAccessOrder, parseAccessOrder } from "../../../src/blocks/cache/access-order.ts";
import { openCacheFolder } from "../../../src/blocks/cache/cache-directory.ts";
import { type ChunkCache, openChunkCache } from "../../../src/blocks/cache/chunk-cache.ts";
import { encodePresenceRecord, parsePresenceRecord } from "../../../src/blocks/cache/presence-record.ts";
import { createFakeClock } from "../../../src/system/clock.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";
import { nodeRandom } from "../../../src/system/random.ts";
import { failingSparseFiles } from "../../support/failing-block-file.ts";
import { eventually, type MemoryImage, memoryImage, patternBytes } from "../../support/memory-image.ts";
import { expectBytes, readBytes } from "../../support/open-test-cache.ts";
import { scratchFolder } from "../../support/scratch.ts";

const block = 4096;
const chunk = 64 * 1024;
const imageId = Buffer.alloc(32, 1);

function open(
  folder: string,
  image: MemoryImage,
  { id = imageId, clock = createFakeClock(), openSparseFile = openNodeSparseFile } = {},
): ChunkCache {
  const store = openCacheFolder(
    { folder, imageId: id, sizeBytes: image.sizeBytes, blockSizeBytes: image.blockSizeBytes },
    { files: nodeFiles, openSparseFile, clock, random: nodeRandom },
  );
  return openChunkCache({ source: image, store, chunkBytes: chunk });
}

test("what was fetched before a restart is read without asking the source again", async () => {
  const folder = scratchFolder();
  const content = patternBytes(4 * chunk + 100);
  const first = open(folder, memoryImage(content));
  await readBytes(first, chunk, 2 * chunk);
  await first.close();
  const image = memoryImage(content);
  const second = open(folder, image);
  expectBytes(await readBytes(second, chunk, 2 * chunk), content.subarray(chunk, 3 * chunk));
  expect(image.opened.length).toBe(0);
  expectBytes(await readBytes(second, 0, 5 * chunk), content);
  await second.close();
});

test("a presence record with any bit flipped is not believed, and the bytes are fetched again", async () => {
  const folder = scratchFolder();
  const content = patternBytes(2 * chunk);
  const first = open(folder, memoryImage(content));
  await readBytes(first, 0, 2 * chunk);
  await first.close();
  const path = join(folder, "presence");
  const whole = nodeFiles.read(path);
  for (let at = 0; at < whole.length; at += 1) {
    const bad = Buffer.from(whole);
    bad[at] = (bad[at] ?? 0) ^ 1;
    nodeFiles.replaceWithoutSync(path, bad);
    const cache = open(folder, memoryImage(content));
    expect(cache.presentBlocks()).toBe(0);
    nodeFiles.replaceWithoutSync(path, whole.subarray(0, at));
    await cache.close();
  }
});

test("a data file that was replaced or cut makes its presence record stale", async () => {
  const folder = scratchFolder();
  const content = patternBytes(2 * chunk);
  const fill = async () => {
    const cache = open(folder, memoryImage(content));
    expectBytes(await readBytes(cache, 0, 2 * chunk), content);
    await cache.close();
  };
  await fill();
  const data = join(folder, "data");
  const presence = nodeFiles.read(join(folder, "presence"));
  const damages = [
    () => nodeFiles.remove(data),
    () => nodeFiles.replace(data, nodeFiles.read(data).subarray(0, chunk)),
    () => nodeFiles.replace(data, Buffer.alloc(nodeFiles.read(data).length)),
  ];
  for (const damage of damages) {
    damage();
    nodeFiles.replace(join(folder, "presence"), presence);
    const cache = open(folder, memoryImage(content));
    expect(cache.presentBlocks()).toBe(0);
    await cache.close();
    await fill();
  }
});

test("a folder that was made for another image starts anew", async () => {
  const folder = scratchFolder();
  const old = open(folder, memoryImage(patternBytes(2 * chunk, 1)));
  await readBytes(old, 0, 2 * chunk);
  await old.close();
  const content = patternBytes(2 * chunk, 2);
  const cache = open(folder, memoryImage(content), { id: Buffer.alloc(32, 2) });
  expectBytes(await readBytes(cache, 0, 2 * chunk), content);
  await cache.close();
});

test("a second opener of a folder is told that it is in use", async () => {
  const folder = scratchFolder();
  const image = memoryImage(patternBytes(chunk));
  const cache = open(folder, image);
  expect(() => open(folder, image)).toThrow(expect.objectContaining({ code: "lock-busy" }));
  await cache.close();
  await open(folder, image).close();
});

test("two seconds after bytes arrived their presence is on the disk without closing", async () => {
  const folder = scratchFolder();
  const clock = createFakeClock();
  const content = patternBytes(chunk);
  const cache = open(folder, memoryImage(content), { clock });
  await readBytes(cache, 0, chunk);
  expect(nodeFiles.statIfExists(join(folder, "presence"))).toBe(undefined);
  clock.advance(2000);
  await eventually(() => nodeFiles.statIfExists(join(folder, "presence")) !== undefined);
  await cache.close();
});

test("after a failed sync nothing fetched since is ever recorded as present", async () => {
  const folder = scratchFolder();
  const failing = failingSparseFiles("sync");
  const content = patternBytes(chunk);
  const cache = open(folder, memoryImage(content), { openSparseFile: failing.open });
  await readBytes(cache, 0, chunk);
  failing.failure = new KeyframeError("io-failed", "sync failed");
  await expect(cache.close()).rejects.toThrow("sync failed");
  const again = open(folder, memoryImage(content));
  expect(again.presentBlocks()).toBe(0);
  await again.close();
});

test.each(["write", "preallocate"] as const)(
  "a disk that is full at %s is an error to that reader and the cache works on when there is room",
  async (operation) => {
    const failing = failingSparseFiles(operation);
    const content = patternBytes(4 * chunk);
    const cache = open(scratchFolder(), memoryImage(content), { openSparseFile: failing.open });
    expectBytes(await readBytes(cache, 0, block), content.subarray(0, block));
    await readBytes(cache, 0, chunk);
    failing.failure = new KeyframeError("disk-full", "no space left");
    await expect(readBytes(cache, 2 * chunk, block)).rejects.toMatchObject({ code: "disk-full" });
    expectBytes(await readBytes(cache, 0, chunk), content.subarray(0, chunk));
    failing.failure = undefined;
    expectBytes(await readBytes(cache, 0, 4 * chunk), content);
    await cache.close();
  },
);

const subject = {
  sizeBytes: 40 * block,
  blockSizeBytes: block,
  trackingBytes: block,
  imageId,
  dataFileId: Buffer.alloc(16, 3),
};

test("a presence record is read back as it was written, and any other bytes give undefined or bits", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer(), (noise, word) => {
      const words = Uint32Array.from([word, 255]);
      expect(parsePresenceRecord(encodePresenceRecord({ ...subject, words }), subject)).toEqual(words);
      expect(parsePresenceRecord(Buffer.from(noise), subject)).toBe(undefined);
    }),
  );
});

test("a touch order is read back as it was written", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffffffff })), (list) => {
      const windows = Uint32Array.from(list);
      expect(parseAccessOrder(encodeAccessOrder({ windowBytes: 262_144, windows }))).toEqual({
        windowBytes: 262_144,
        windows,
      });
    }),
  );
});

test("a touch order with a flipped bit, and any other bytes, are damaged", () => {
  const whole = encodeAccessOrder({ windowBytes: 262_144, windows: Uint32Array.from([5, 6, 7, 1, 400_000]) });
  expect(whole.length).toBeLessThan(30);
  fc.assert(
    fc.property(fc.nat(whole.length * 8 - 1), fc.uint8Array(), (bit, noise) => {
      const bad = Buffer.from(whole);
      bad[bit >>> 3] = (bad[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      for (const bytes of [bad, Buffer.from(noise)]) {
        expect(() => parseAccessOrder(bytes)).toThrow(expect.objectContaining({ code: "damaged" }));
      }
    }),
  );
});
