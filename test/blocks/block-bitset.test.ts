import fc from "fast-check";
import { expect, test } from "vitest";
import { createBlockBitset } from "../../src/blocks/block-bitset.ts";

const sizeBlocks = 150;
const range = fc
  .tuple(fc.integer({ min: 0, max: sizeBlocks }), fc.integer({ min: 0, max: sizeBlocks }))
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
const changes = fc.array(fc.record({ range, on: fc.boolean() }), { maxLength: 12 });

test("a bitset answers every question like an array of booleans", () => {
  fc.assert(
    fc.property(changes, range, (steps, asked) => {
      const bits = createBlockBitset(sizeBlocks);
      const model = Array.from({ length: sizeBlocks }, () => false);
      for (const step of steps) {
        if (step.on) bits.set(step.range.start, step.range.end);
        else bits.clear(step.range.start, step.range.end);
        model.fill(step.on, step.range.start, step.range.end);
      }
      const part = model.slice(asked.start, asked.end);
      const at = (index: number) => (index === -1 ? asked.end : asked.start + index);
      expect(bits.hasAll(asked.start, asked.end)).toBe(part.every(Boolean));
      expect(bits.nextSet(asked.start, asked.end)).toBe(at(part.indexOf(true)));
      expect(bits.nextClear(asked.start, asked.end)).toBe(at(part.indexOf(false)));
      expect(bits.countSet()).toBe(model.filter(Boolean).length);
      expect(model.every((on, block) => bits.has(block) === on)).toBe(true);
    }),
  );
});

test("4 MiB of 4 KiB blocks take 128 bytes", () => {
  expect(createBlockBitset(1024).words.byteLength).toBe(128);
});
