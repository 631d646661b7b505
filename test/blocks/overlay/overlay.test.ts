// Covers src/blocks/overlay/**, src/blocks/*.
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyframeError } from "../../../src/base/errors.ts";
import { type Overlay, openOverlay } from "../../../src/blocks/overlay/overlay.ts";
import type { RandomAccessImage } from "../../../src/blocks/random-access-image.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";
import { applyDirtyBlocks } from "../../support/apply-dirty-blocks.ts";
import { failingSparseFiles } from "../../support/failing-block-file.ts";
import { patternBytes } from "../../support/memory-image.ts";
import { memoryReader } from "../../support/memory-reader.ts";
import { expectBytes, readBytes } from "../../support/open-test-cache.ts";
import { scratchFolder } from "../../support/scratch.ts";

const block = 512;
const parentId = Buffer.alloc(32, 7);

function open(
  folder: string,
  parent: RandomAccessImage,
  openSparseFile = openNodeSparseFile,
): Promise<Overlay> {
  return openOverlay({ folder, parent, parentId }, { files: nodeFiles, openSparseFile });
}

const size = 9 * block + 100;
const place = fc.record({
  at: fc.integer({ min: 0, max: size }),
  length: fc.integer({ min: 0, max: 4 * block }),
});
const step = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), place, seed: fc.integer({ min: 1, max: 250 }) }),
  fc.record({
    kind: fc.constantFrom("zero" as const, "zero-kept" as const, "trim" as const, "read" as const),
    place,
  }),
  fc.record({ kind: fc.constantFrom("flush" as const, "reopen" as const, "export" as const) }),
);

test("an overlay under any steps is a disk of bytes, after each reopening and in each export", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, slow) => {
      const folder = scratchFolder();
      const below = patternBytes(size, 5);
      below.fill(0, 2 * block, 4 * block);
      const parent = () => memoryReader(below, { blockSizeBytes: block, slow });
      const model = Buffer.from(below);
      let overlay = await open(folder, parent());
      for (const one of steps) {
        if ("place" in one) {
          const offsetBytes = one.place.at;
          const lengthBytes = Math.min(one.place.length, size - offsetBytes);
          if (one.kind === "write") {
            const bytes = Buffer.alloc(lengthBytes, one.seed);
            await overlay.write(bytes, offsetBytes);
            bytes.copy(model, offsetBytes);
          } else if (one.kind === "read") {
            expectBytes(
              await readBytes(overlay, offsetBytes, one.place.length),
              model.subarray(offsetBytes, offsetBytes + lengthBytes),
            );
          } else if (one.kind === "trim") {
            await overlay.trim({ offsetBytes, lengthBytes });
            const end = offsetBytes + lengthBytes;
            const start = Math.ceil(offsetBytes / block) * block;
            const last = end === size ? end : Math.floor(end / block) * block;
            if (start < last) model.fill(0, start, last);
          } else {
            await overlay.writeZeroes(
              { offsetBytes, lengthBytes },
              { keepAllocated: one.kind === "zero-kept" },
            );
            model.fill(0, offsetBytes, offsetBytes + lengthBytes);
          }
        } else if (one.kind === "flush") await overlay.flush();
        else {
          if (one.kind === "export") {
            await overlay.freeze();
            const exported = await applyDirtyBlocks(below, overlay.dirtyBlocks(), block);
            expectBytes(exported.content, model);
            for (const index of [...exported.data, ...exported.zero]) {
              const range = [index * block, (index + 1) * block] as const;
              expect(model.subarray(...range).equals(below.subarray(...range))).toBe(false);
            }
          }
          await overlay.close();
          overlay = await open(folder, parent());
        }
        expectBytes(await readBytes(overlay, 0, size + 10), model);
      }
      const extents = [...overlay.extents({ offsetBytes: 0, lengthBytes: size })];
      expect(extents.reduce((sum, extent) => sum + extent.lengthBytes, 0)).toBe(size);
      for (const { kind, offsetBytes, lengthBytes } of extents) {
        if (kind === "zero")
          expectBytes(model.subarray(offsetBytes, offsetBytes + lengthBytes), Buffer.alloc(lengthBytes));
      }
      await overlay.close();
    }),
    { numRuns: 120 },
  );
});

test("overlapping writes that are under way together leave each byte with one of them and lose none", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(place, { minLength: 2, maxLength: 8 }), async (places) => {
      const below = Buffer.alloc(size, 0xbb);
      const overlay = await open(scratchFolder(), memoryReader(below, { blockSizeBytes: block, slow: true }));
      const writes = places.map(({ at, length }, index) => ({
        at,
        bytes: Buffer.alloc(Math.min(length, size - at), index + 1),
      }));
      await Promise.all(writes.map(async ({ at, bytes }) => overlay.write(bytes, at)));
      const content = await readBytes(overlay, 0, size);
      for (let at = 0; at < size; at += 1) {
        const candidates = writes.flatMap((write, index) =>
          at >= write.at && at < write.at + write.bytes.length ? [index + 1] : [],
        );
        const expected = candidates.length === 0 ? [0xbb] : candidates;
        if (!expected.includes(content[at] ?? -1))
          throw new Error(`byte ${at} is ${content[at]}, not of ${expected.join()}`);
      }
      await overlay.close();
    }),
    { numRuns: 60 },
  );
});

test("an export names zeroed, written and untouched blocks for what they are, in order", async () => {
  const below = patternBytes(4 * block);
  const overlay = await open(scratchFolder(), memoryReader(below, { blockSizeBytes: block }));
  await overlay.write(Buffer.alloc(block, 0xab), 3 * block);
  await overlay.write(Buffer.alloc(block), 0);
  await overlay.write(Buffer.alloc(block, 0xcd), block);
  await overlay.write(below.subarray(2 * block, 3 * block), 2 * block);
  await overlay.freeze();
  const { data, zero } = await applyDirtyBlocks(below, overlay.dirtyBlocks(), block);
  expect({ data, zero }).toEqual({ data: [1, 3], zero: [0] });
  await overlay.close();
});

test("blocks that are written and then zeroed export as zeros and read as zeros", async () => {
  const below = patternBytes(4 * block);
  const overlay = await open(scratchFolder(), memoryReader(below, { blockSizeBytes: block }));
  await overlay.write(Buffer.alloc(2 * block, 1), block);
  await overlay.writeZeroes({ offsetBytes: block, lengthBytes: 2 * block });
  expectBytes(await readBytes(overlay, block, 2 * block), Buffer.alloc(2 * block));
  await overlay.freeze();
  const { data, zero } = await applyDirtyBlocks(below, overlay.dirtyBlocks(), block);
  expect({ data, zero }).toEqual({ data: [], zero: [1, 2] });
  await overlay.close();
});

test("zeroed blocks over zeros of the parent are not exported", async () => {
  const overlay = await open(
    scratchFolder(),
    memoryReader(Buffer.alloc(4 * block), { blockSizeBytes: block }),
  );
  await overlay.trim({ offsetBytes: 0, lengthBytes: 4 * block });
  await overlay.freeze();
  expect((await applyDirtyBlocks(Buffer.alloc(4 * block), overlay.dirtyBlocks(), block)).zero).toEqual([]);
  await overlay.close();
});

test("a frozen overlay is exported and read while a second one over it takes writes, and the second moves to the new image", async () => {
  const below = Buffer.alloc(4 * block, 0xcc);
  const first = await open(scratchFolder(), memoryReader(below, { blockSizeBytes: block }));
  await first.write(Buffer.alloc(2 * block, 0xbb), 0);
  await first.freeze();
  expect(() => first.write(Buffer.alloc(1), 0)).toThrow(/frozen/);
  const second = await open(scratchFolder(), first);
  const exporting = applyDirtyBlocks(below, first.dirtyBlocks(), block);
  await second.write(Buffer.alloc(block, 0xaa), 0);
  await second.writeZeroes({ offsetBytes: 3 * block, lengthBytes: block });
  const merged = Buffer.concat([0xaa, 0xbb, 0xcc, 0].map((byte) => Buffer.alloc(block, byte)));
  expectBytes(await readBytes(second, 0, 4 * block), merged);
  const { content } = await exporting;
  expectBytes(content, Buffer.concat([0xbb, 0xbb, 0xcc, 0xcc].map((byte) => Buffer.alloc(block, byte))));
  await second.rebase(memoryReader(content, { blockSizeBytes: block }), Buffer.alloc(32, 9));
  await first.close();
  expectBytes(await readBytes(second, 0, 4 * block), merged);
  await second.close();
});

test("only a frozen overlay is exported", async () => {
  const overlay = await open(scratchFolder(), memoryReader(Buffer.alloc(block), { blockSizeBytes: block }));
  expect(() => overlay.dirtyBlocks()).toThrow(expect.objectContaining({ code: "refused" }));
  await overlay.close();
});

test("an overlay is refused over another image", async () => {
  const folder = scratchFolder();
  await (await open(folder, memoryReader(Buffer.alloc(block), { blockSizeBytes: block }))).close();
  const other = {
    folder,
    parent: memoryReader(Buffer.alloc(block), { blockSizeBytes: block }),
    parentId: Buffer.alloc(32, 8),
  };
  await expect(
    openOverlay(other, { files: nodeFiles, openSparseFile: openNodeSparseFile }),
  ).rejects.toMatchObject({ code: "refused" });
});

test("an overlay that is open refuses a second opener", async () => {
  const folder = scratchFolder();
  const parent = memoryReader(Buffer.alloc(block), { blockSizeBytes: block });
  const overlay = await open(folder, parent);
  await expect(open(folder, parent)).rejects.toMatchObject({ code: "lock-busy" });
  await overlay.close();
});

test("an append to the map that did not finish is left out, and what was flushed before stays", async () => {
  const folder = scratchFolder();
  const below = patternBytes(4 * block);
  let overlay = await open(folder, memoryReader(below, { blockSizeBytes: block }));
  await overlay.write(Buffer.alloc(block, 1), 0);
  await overlay.close();
  const whole = nodeFiles.read(join(folder, "map"));
  for (const tail of [
    Buffer.from([1]),
    Buffer.from([1, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0, 0]),
    Buffer.alloc(40),
  ]) {
    nodeFiles.replace(join(folder, "map"), Buffer.concat([whole, tail]));
    overlay = await open(folder, memoryReader(below, { blockSizeBytes: block }));
    expectBytes(
      await readBytes(overlay, 0, 2 * block),
      Buffer.concat([Buffer.alloc(block, 1), below.subarray(block, 2 * block)]),
    );
    await overlay.close();
    expectBytes(nodeFiles.read(join(folder, "map")), whole);
  }
});

test("a damaged byte anywhere in the map is either reported or cuts off the last flush, never a wrong block", async () => {
  const folder = scratchFolder();
  const below = Buffer.alloc(4 * block, 5);
  const overlay = await open(folder, memoryReader(below, { blockSizeBytes: block }));
  await overlay.write(Buffer.alloc(block, 1), 0);
  await overlay.flush();
  await overlay.write(Buffer.alloc(block, 2), 2 * block);
  await overlay.close();
  const whole = nodeFiles.read(join(folder, "map"));
  const full = [1, 5, 2, 5].map((byte) => Buffer.alloc(block, byte));
  for (let at = 0; at < whole.length; at += 1) {
    const bad = Buffer.from(whole);
    bad[at] = (bad[at] ?? 0) ^ 0x41;
    nodeFiles.replace(join(folder, "map"), bad);
    try {
      const again = await open(folder, memoryReader(below, { blockSizeBytes: block }));
      const content = await readBytes(again, 0, 4 * block);
      await again.close();
      for (const [index, written] of full.entries()) {
        const got = content.subarray(index * block, (index + 1) * block);
        expect(got.equals(written) || got.equals(below.subarray(0, block))).toBe(true);
      }
      expect(at).toBeGreaterThanOrEqual(60);
    } catch (error) {
      expect(["damaged", "refused"]).toContain((error as KeyframeError).code);
    }
  }
});

test("a flush that fails is reported each time until the overlay is opened again", async () => {
  const failing = failingSparseFiles("sync");
  const folder = scratchFolder();
  const overlay = await open(
    folder,
    memoryReader(Buffer.alloc(2 * block, 3), { blockSizeBytes: block }),
    failing.open,
  );
  await overlay.write(Buffer.alloc(block, 1), 0);
  failing.failure = new KeyframeError("io-failed", "the disk is broken");
  await expect(overlay.flush()).rejects.toThrow("the disk is broken");
  failing.failure = undefined;
  await expect(overlay.flush()).rejects.toThrow("the disk is broken");
  await expect(overlay.close()).rejects.toThrow("the disk is broken");
  const again = await open(folder, memoryReader(Buffer.alloc(2 * block, 3), { blockSizeBytes: block }));
  expectBytes(await readBytes(again, 0, block), Buffer.alloc(block, 3));
  await again.close();
});

test("a full disk fails the write and leaves the block as it was", async () => {
  const failing = failingSparseFiles("write");
  const overlay = await open(
    scratchFolder(),
    memoryReader(Buffer.alloc(400 * block, 3), { blockSizeBytes: block }),
    failing.open,
  );
  failing.failure = new KeyframeError("disk-full", "no space left");
  expect(() => overlay.write(Buffer.alloc(block, 1), 0)).toThrow("no space left");
  await expect(overlay.write(Buffer.alloc(300 * block, 1), 0)).rejects.toThrow("no space left");
  failing.failure = undefined;
  expectBytes(await readBytes(overlay, 0, 300 * block), Buffer.alloc(300 * block, 3));
  await overlay.close();
});

test("ranges that are not inside the disk are refused", async () => {
  const overlay = await open(scratchFolder(), memoryReader(Buffer.alloc(block), { blockSizeBytes: block }));
  const outside = expect.objectContaining({ code: "invalid-input" });
  expect(() => overlay.write(Buffer.alloc(2), block - 1)).toThrow(outside);
  expect(() => overlay.trim({ offsetBytes: -1, lengthBytes: 1 })).toThrow(outside);
  expect(() => overlay.writeZeroes({ offsetBytes: 0, lengthBytes: Number.NaN })).toThrow(outside);
  await overlay.close();
  expect(() => overlay.read(Buffer.alloc(1), 0)).toThrow(expect.objectContaining({ code: "closed" }));
});

test("200 cycles of opening, writing, exporting and opening over the export keep every byte of a plain file", async () => {
  const cycleSize = 64 * block;
  let image = patternBytes(cycleSize, 11);
  const plain = Buffer.from(image);
  let seed = 3;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let cycle = 0; cycle < 200; cycle += 1) {
    const folder = scratchFolder();
    let overlay = await open(folder, memoryReader(image, { blockSizeBytes: block }));
    for (let write = 0; write < 6; write += 1) {
      const at = random(cycleSize);
      const length = Math.min(1 + random(5 * block), cycleSize - at);
      if (write === 4) {
        await overlay.writeZeroes({ offsetBytes: at, lengthBytes: length });
        plain.fill(0, at, at + length);
      } else {
        const bytes = Buffer.alloc(length, cycle + write);
        await overlay.write(bytes, at);
        bytes.copy(plain, at);
      }
      if (write === 2) {
        await overlay.close();
        overlay = await open(folder, memoryReader(image, { blockSizeBytes: block }));
      }
    }
    await overlay.freeze();
    image = (await applyDirtyBlocks(image, overlay.dirtyBlocks(), block)).content;
    await overlay.close();
    expectBytes(image, plain);
  }
});
