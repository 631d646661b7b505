import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createGuestFrameParser,
  encodeGuestFrame,
  type GuestFrame,
  maxGuestPayloadBytes,
} from "../../../src/sandbox/guest/frame.ts";
import { parseFileInfos } from "../../../src/sandbox/guest/message.ts";

const frames = fc.array(
  fc.record({
    type: fc.integer({ min: 0, max: 255 }),
    stream: fc.integer({ min: 0, max: 0xffffffff }),
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
  { maxLength: 8 },
);

function plain(frame: Pick<GuestFrame, "type" | "stream"> & { payload: Uint8Array }) {
  return { type: frame.type, stream: frame.stream, payload: Buffer.from(frame.payload).toString("hex") };
}

function pushInPieces(bytes: Buffer, cuts: readonly number[]): GuestFrame[] {
  const parser = createGuestFrameParser();
  const found: GuestFrame[] = [];
  let at = 0;
  for (const cut of cuts) {
    found.push(...parser.push(bytes.subarray(at, at + cut)));
    at += cut;
  }
  return [...found, ...parser.push(bytes.subarray(at))];
}

test("frames arrive as they were sent, however the stream is cut", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 }), (sent, cuts) => {
      const bytes = Buffer.concat(
        sent.map((frame) => encodeGuestFrame(frame.type, frame.stream, frame.payload)),
      );
      expect(pushInPieces(bytes, cuts).map(plain)).toEqual(sent.map(plain));
    }),
  );
});

test("after the rest of a broken frame, the frames that follow a filler of zeros are found", () => {
  fc.assert(
    fc.property(frames, fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), (sent, lost, cut) => {
      const broken = encodeGuestFrame(0x18, 7, lost);
      const rest = broken.subarray(1 + (cut % (broken.length - 1)));
      const good = Buffer.concat(
        sent.map((frame) => encodeGuestFrame(frame.type, frame.stream, frame.payload)),
      );
      const found = pushInPieces(Buffer.concat([rest, Buffer.alloc(maxGuestPayloadBytes), good]), []);
      expect(found.slice(found.length - sent.length).map(plain)).toEqual(sent.map(plain));
      expect(found).toHaveLength(sent.length);
    }),
  );
});

test("any bytes are read without an error, and never kept beyond one frame", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
      const parser = createGuestFrameParser();
      for (const chunk of chunks) parser.push(chunk);
      expect(parser.skippedBytes).toBeLessThanOrEqual(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    }),
  );
});

test("a payload that does not fit is refused before anything is sent", () => {
  expect(() => encodeGuestFrame(0x10, 1, Buffer.alloc(maxGuestPayloadBytes + 1))).toThrow(/does not fit/);
});

test("a list of files that was cut short gives the entries that are whole", () => {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length, 0, 0, 0]), Buffer.from(value)]);
  const entry = (facts: string, path: string) => [facts, "root", "root", "", path].map(text);
  const list = Buffer.concat([...entry("f 644 12 5", "/a/b"), ...entry("d 755 0 6", "/c")]);
  expect(parseFileInfos(list)).toMatchObject([
    { kind: "file", mode: 0o644, sizeBytes: 12, modifiedAtMs: 5000, path: "/a/b" },
    { kind: "folder", mode: 0o755, sizeBytes: 0, path: "/c" },
  ]);
  expect(parseFileInfos(list.subarray(0, list.length - 6))).toHaveLength(1);
});
