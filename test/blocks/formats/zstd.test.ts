import fc from "fast-check";
import { expect, test } from "vitest";
import { declaredSize, loadWasm, loadZstd } from "../../../src/blocks/formats/zstd.ts";

const implementations = [
  ["the default", await loadZstd()],
  ["WebAssembly", await loadWasm()],
] as const;

test.each(implementations)("%s gives back what it compressed", (_, zstd) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.integer({ min: 1, max: 40 }),
      (bytes, times) => {
        const raw = Buffer.concat(Array.from({ length: times }, () => bytes));
        expect(zstd.decompress(zstd.compress(raw), raw.length).equals(raw)).toBe(true);
      },
    ),
  );
});

test.each(implementations)("%s reads what the others wrote", (_, zstd) => {
  const raw = Buffer.from("keyframe ".repeat(5000));
  for (const [, other] of implementations)
    expect(zstd.decompress(other.compress(raw), raw.length)).toEqual(raw);
});

test.each(implementations)("%s refuses a frame that would grow over its place", (_, zstd) => {
  const bomb = zstd.compress(Buffer.alloc(64 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(64 * 1024);
  expect(() => zstd.decompress(bomb, 65_536)).toThrow(expect.objectContaining({ code: "damaged" }));
});

test.each(implementations)("%s refuses a frame that hides its length and grows over its place", (_, zstd) => {
  // one block of 100,000 equal bytes, window descriptor instead of a content size (RFC 8878)
  const block = Buffer.alloc(4);
  block.writeUIntLE((100_000 << 3) | (1 << 1) | 1, 0, 3);
  block.writeUInt8(0x61, 3);
  const frame = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]), block]);
  expect(declaredSize(frame)).toBeUndefined();
  expect(zstd.decompress(frame, 100_000).equals(Buffer.alloc(100_000, 0x61))).toBe(true);
  expect(() => zstd.decompress(frame, 99_999)).toThrow(expect.objectContaining({ code: "damaged" }));
  expect(() => zstd.decompress(frame, 100_001)).toThrow(expect.objectContaining({ code: "damaged" }));
});

test.each(implementations)("%s answers any bytes with bytes of the right length or `damaged`", (_, zstd) => {
  const seed = zstd.compress(Buffer.from("abc".repeat(500)));
  fc.assert(
    fc.property(
      fc.nat(seed.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(seed.length),
      (at, flip, length) => {
        const bytes = Buffer.from(seed.subarray(0, length));
        if (at < length) bytes[at] = (bytes[at] ?? 0) ^ flip;
        try {
          expect(zstd.decompress(bytes, 1500)).toHaveLength(1500);
        } catch (error) {
          expect(error).toMatchObject({ code: "damaged" });
        }
      },
    ),
  );
});
