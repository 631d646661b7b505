// Covers src/agents/*.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePayload } from "../../src/agents/payload.ts";
import { maxHookPayloadBytes } from "../../src/base/limits.ts";

describe("a hook's standard input", () => {
  const payload = { text: "grün 🦉" };
  const json = JSON.stringify(payload);
  const little = Buffer.from(json, "utf16le");
  const big = Buffer.from(little).swap16();

  test.each([
    ["UTF-8", Buffer.from(json)],
    ["UTF-8 with a mark", Buffer.from(`\ufeff${json}`)],
    ["UTF-16 LE with a mark", Buffer.concat([Buffer.from([0xff, 0xfe]), little])],
    ["UTF-16 LE", little],
    ["UTF-16 BE with a mark", Buffer.concat([Buffer.from([0xfe, 0xff]), big])],
    ["UTF-16 BE", big],
    ["an odd number of bytes of UTF-16 BE", Buffer.concat([big, Buffer.from([0])])],
    ["blanks around it", Buffer.from(`\r\n ${json}\r\n`)],
  ])("is read as %s", (_, bytes) => {
    expect(decodePayload(bytes)).toEqual({ payload });
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["blanks", Buffer.from(" \n")],
    ["half an object", Buffer.from('{"a":')],
    ["no JSON", Buffer.from("hello")],
    ["more than the limit", Buffer.alloc(maxHookPayloadBytes + 1, " ")],
  ])("of %s is refused with a reason", (_, bytes) => {
    expect(decodePayload(bytes)).toEqual({ kind: "refused", why: expect.stringMatching(/\S/) });
  });

  test("of any bytes never throws", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodePayload(Buffer.from(bytes))));
  });
});
