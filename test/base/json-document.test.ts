// Covers src/base/*.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKeyframeError } from "../../src/base/errors.ts";
import { encodeJsonDocument, encodeJsonLine, parseJsonDocument } from "../../src/base/json-document.ts";

describe("a JSON document", () => {
  test("decodes to what JSON.parse says and encodes to what was decoded, for any value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = encodeJsonDocument(parseJsonDocument(JSON.stringify(value)));
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(encodeJsonDocument(parseJsonDocument(text))).toBe(text);
      }),
    );
  });

  test.each([
    ['{"2":1,"1":2,"__proto__":3}', '{\n  "2": 1,\n  "1": 2,\n  "__proto__": 3\n}', "keys stay in place"],
    [
      "[1.0,1e2,12345678901234567890,-0,0.1]",
      "[\n  1.0,\n  1e2,\n  12345678901234567890,\n  -0,\n  0.1\n]",
      "numbers keep their text",
    ],
    ['{"a":[],"b":{}}', '{\n  "a": [],\n  "b": {}\n}', "what is empty stays on its line"],
    [
      '"<a&b>\u2028\u2029é"',
      '"\\u003ca\\u0026b\\u003e\\u2028\\u2029é"',
      "HTML and line separators are escaped",
    ],
    ['{"a":1,"a":2}', '{\n  "a": 2\n}', "the last of a repeated key counts"],
  ])("%s is encoded as Go encodes it: %3$s", (input, output) => {
    expect(encodeJsonDocument(parseJsonDocument(input))).toBe(output);
  });

  test("any text is either decoded or refused as damaged, however deep", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...Array.from('{}[]",:0e+-\\un tf')) })),
        (text) => {
          let native: unknown;
          let fails = false;
          try {
            native = JSON.parse(text);
          } catch {
            fails = true;
          }
          try {
            const decoded = encodeJsonDocument(parseJsonDocument(text));
            expect(fails).toBe(false);
            expect(JSON.parse(decoded)).toEqual(native);
          } catch (error) {
            if (!isKeyframeError(error, "damaged")) throw error;
            expect(fails).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(() => parseJsonDocument("[".repeat(10_000))).toThrow(/nested deeper/);
  });

  test("a line is escaped in the same way", () => {
    expect(encodeJsonLine({ a: "<&>" })).toBe('{"a":"\\u003c\\u0026\\u003e"}');
  });
});
