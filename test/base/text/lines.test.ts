import fc from "fast-check";
import { expect, test } from "vitest";
import { readLines, splitLines } from "../../../src/base/text/lines.ts";

const content = fc
  .array(fc.constantFrom("a", "bc", "\n", "\r\n", "é", "\0"), { maxLength: 60 })
  .map((parts) => Buffer.from(parts.join("")));

test("the lines of any content, joined, are the content", () => {
  fc.assert(
    fc.property(content, (bytes) => {
      expect(Buffer.concat(splitLines(bytes))).toEqual(bytes);
    }),
  );
});

test("a stream gives the same lines however it is cut into chunks", () => {
  fc.assert(
    fc.property(content, fc.array(fc.integer({ min: 1, max: 7 })), (bytes, sizes) => {
      const chunks: Buffer[] = [];
      let start = 0;
      for (const size of [...sizes, bytes.length]) {
        chunks.push(bytes.subarray(start, start + size));
        start += size;
      }
      const seen = [...readLines(chunks, 1000)].map((line) =>
        "oversized" in line ? undefined : line.bytes.toString(),
      );
      expect(seen).toEqual(splitLines(bytes).map((line) => line.toString().replace(/\n$/, "")));
    }),
  );
});

test("a line over the limit is reported by its place and the next line still arrives", () => {
  const chunks = ["ab\nxxxx", "xxxx\ncd"].map((text) => Buffer.from(text));
  const seen = [...readLines(chunks, 5)].map((line) => ("oversized" in line ? line : line.bytes.toString()));
  expect(seen).toEqual(["ab", { oversized: true, offsetBytes: 3, sizeBytes: 8, terminated: true }, "cd"]);
});
