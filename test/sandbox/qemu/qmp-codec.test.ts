import fc from "fast-check";
import { expect, test } from "vitest";
import { isKeyframeError } from "../../../src/base/errors.ts";
import { createQmpParser, parseQmpMessage } from "../../../src/sandbox/qemu/qmp-codec.ts";

const lines = [
  '{"QMP": {"version": {}, "capabilities": []}}',
  '{"return": {"text": "gr\u00fc\u00df"}, "id": 3}',
  '{"timestamp": {"seconds": 5, "microseconds": 250000}, "event": "STOP"}',
  '{"id": 4, "error": {"class": "GenericError", "desc": "no"}}',
];

test("messages are the same however the stream is cut, also inside a character", () => {
  const bytes = Buffer.from(lines.map((line) => `${line}\r\n`).join(""));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 }), (cuts) => {
      const parser = createQmpParser();
      const found = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        found.push(...parser.push(bytes.subarray(at, at + cut)));
        at += cut;
      }
      expect(found).toEqual(lines.map(parseQmpMessage));
    }),
  );
});

test("greeting, answer, event and error are told apart", () => {
  expect(lines.map(parseQmpMessage)).toEqual([
    { kind: "greeting" },
    { kind: "return", id: 3, value: { text: "gr\u00fc\u00df" } },
    { kind: "event", event: { name: "STOP", data: {}, atMs: 5250 } },
    { kind: "error", id: 4, errorClass: "GenericError", text: "no" },
  ]);
});

test("any other text is our error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseQmpMessage(text);
      } catch (error) {
        expect(isKeyframeError(error, "invalid-input")).toBe(true);
      }
    }),
  );
});
