import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePath, encodePath, isPlainPath, nativePath } from "../../src/base/path-text.ts";

test("any bytes come back from their text, also through JSON, and UTF-8 reads as itself", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = decodePath(Buffer.from(bytes));
      expect(encodePath(JSON.parse(JSON.stringify(text)) as string)).toEqual(Buffer.from(bytes));
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(decodePath(Buffer.from(text))).toBe(text);
      expect(encodePath(text)).toEqual(Buffer.from(text));
      expect(nativePath(text)).toBe(text);
    }),
  );
});

test("different bytes give different texts", () => {
  const names = [[0xe9], [0xe8], [0xc3, 0xa9], [0xc3], [0xed, 0xb3, 0xa9], [0xf0, 0x9f, 0x98]].map((bytes) =>
    decodePath(Buffer.from(bytes)),
  );
  expect(new Set(names).size).toBe(names.length);
  expect(names.map(isPlainPath)).toEqual([false, false, true, false, false, false]);
});
