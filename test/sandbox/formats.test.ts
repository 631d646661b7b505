import fc from "fast-check";
import { expect, test } from "vitest";
import { isKeyframeError } from "../../src/base/errors.ts";
import { parseByteSize, parseDurationMs } from "../../src/base/text/quantities.ts";
import { parseObjectName, parseSandboxId } from "../../src/sandbox/ids.ts";
import { encodeCpio } from "../../src/sandbox/image/cpio.ts";
import { unpackLz4Legacy } from "../../src/sandbox/image/lz4-legacy.ts";
import { whiteoutOf } from "../../src/sandbox/image/whiteouts.ts";
import { encodeEmptyOverlay, parseQcow2Header } from "../../src/sandbox/store/qcow2-header.ts";
import { encodePackHeader, parsePackHeader } from "../../src/sandbox/transfer/strict-tar.ts";

test("an overlay's header reads back, and one that names other files or needs more is refused", () => {
  const header = encodeEmptyOverlay({
    virtualBytes: 3 * 1024 ** 3,
    backingFile: "dl-1.raw",
    backingFormat: "raw",
  });
  expect(parseQcow2Header(header, "x")).toEqual({ virtualBytes: 3 * 1024 ** 3 });
  // an external data file, encryption, an internal snapshot, an old version, no qcow2 at all
  for (const [at, value] of [
    [79, 4],
    [35, 1],
    [63, 1],
    [7, 2],
    [0, 0],
  ] as const) {
    const bad = Buffer.from(header);
    bad.writeUInt8(value, at);
    expect(() => parseQcow2Header(bad, "x"), `byte ${at}`).toThrow(/not a disk layer/);
  }
});

test("a tar header reads back, and every other header is refused", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z0-9/.-]{1,99}$/),
      fc.integer({ min: 0, max: 2 ** 32 }),
      fc.nat(511),
      fc.integer({ min: 1, max: 255 }),
      (name, sizeBytes, at, flip) => {
        const header = encodePackHeader({ name, sizeBytes });
        expect(parsePackHeader(header)).toEqual({ name, sizeBytes });
        const bad = Buffer.from(header);
        bad.writeUInt8(bad.readUInt8(at) ^ flip, at);
        try {
          expect(parsePackHeader(bad)).toBe("never read");
        } catch (error) {
          expect(isKeyframeError(error, "damaged", "too-large")).toBe(true);
        }
      },
    ),
  );
});

test("cpio pads names and contents to four bytes and ends with its trailer", () => {
  const archive = encodeCpio([{ path: "a", mode: 0o100644, content: Buffer.from("xyz") }]);
  expect(archive.length % 4).toBe(0);
  expect(archive.toString("latin1", 0, 6)).toBe("070701");
  expect(archive.toString("latin1", 110, 112)).toBe("a\0");
  expect(archive.toString("latin1", 112, 116)).toBe("xyz\0");
  expect(archive.includes("TRAILER!!!")).toBe(true);
});

test("LZ4 literals and overlapping matches are unpacked, and bad references refused", () => {
  const frame = (block: readonly number[]) =>
    Buffer.concat([
      Buffer.from([2, 0x21, 0x4c, 0x18]),
      Buffer.from([block.length, 0, 0, 0]),
      Buffer.from(block),
    ]);
  // "ab", then 8 bytes from 2 back, then "!"
  expect(unpackLz4Legacy(frame([0x24, 97, 98, 2, 0, 0x10, 33])).toString()).toBe("ababababab!");
  expect(() => unpackLz4Legacy(frame([0x14, 97, 9, 0, 0x10, 33]))).toThrow(/LZ4/);
});

test("whiteouts name what a layer deletes", () => {
  const names = ["./a/.wh.b", "c/.wh..wh..opq", ".wh.d", "e/f", "g/.wh..wh.plnk"];
  expect(names.map(whiteoutOf)).toEqual([
    { kind: "file", path: "./a/b" },
    { kind: "opaque", path: "c/" },
    { kind: "file", path: "d" },
    undefined,
    "nothing",
  ]);
});

test("names and ids are told apart, and neither can leave its folder", () => {
  expect(parseSandboxId("sb-0123456789ab")).toBe("sb-0123456789ab");
  for (const bad of ["sb-0123456789a", "sb-0123456789aB", "../sb-0123456789ab", "sn-0123456789ab"])
    expect(parseSandboxId(bad)).toBeUndefined();
  for (const bad of ["", ".", "..", "a/b", "-x", "sb-0123456789ab", "a\n", "x".repeat(65)])
    expect(() => parseObjectName(bad)).toThrow(/not a name/);
});

test("sizes and durations are read with their units", () => {
  expect([parseByteSize("512M"), parseByteSize("1.5GiB"), parseByteSize("100")]).toEqual([
    512 * 1024 ** 2,
    1.5 * 1024 ** 3,
    100,
  ]);
  expect([parseDurationMs("90s"), parseDurationMs("1h"), parseDurationMs("0.5d")]).toEqual([
    90_000, 3_600_000, 43_200_000,
  ]);
  for (const bad of ["", "M", "1X", "-1M"]) expect(() => parseByteSize(bad)).toThrow(/not a size/);
  for (const bad of ["", "10", "1y"]) expect(() => parseDurationMs(bad)).toThrow(/not a duration/);
});
