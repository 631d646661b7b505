// Covers src/nbd/**.
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyframeError } from "../../src/base/errors.ts";
import { readOnlyDevice, type WritableDisk } from "../../src/blocks/writable-disk.ts";
import { serveConnection } from "../../src/nbd/connection.ts";
import { createSlabPool } from "../../src/nbd/reply-writer.ts";
import { createFakeClock } from "../../src/system/clock.ts";
import { fuzzNbdMessages } from "../fuzz/nbd-messages.ts";
import { createFakeSocket, type FakeSocket } from "../support/fake-socket.ts";
import { eventually, patternBytes, settle } from "../support/memory-image.ts";
import { memoryReader } from "../support/memory-reader.ts";
import {
  clientFlags,
  infoData,
  metaContextData,
  option,
  optionReplies,
  request,
  type ServerReply,
  serverReplies,
} from "../support/nbd-bytes.ts";
import { expectBytes } from "../support/open-test-cache.ts";

const size = 256 * 1024;
const errorBit = 2 ** 31;

function memoryDevice(content: Buffer, changes: Partial<WritableDisk> = {}): WritableDisk {
  return {
    ...memoryReader(content),
    readOnly: false,
    write: (from, at) => void from.copy(content, at),
    writeZeroes: ({ offsetBytes, lengthBytes }) =>
      void content.fill(0, offsetBytes, offsetBytes + lengthBytes),
    trim: ({ offsetBytes, lengthBytes }) => void content.fill(0, offsetBytes, offsetBytes + lengthBytes),
    flush: () => Promise.resolve(),
    ...changes,
  };
}

function serve(
  device: WritableDisk,
  clock = createFakeClock(),
): FakeSocket & { readonly closed: () => boolean } {
  const fake = createFakeSocket();
  let closed = false;
  serveConnection({
    socket: fake.socket,
    exports: [
      { name: "disk", description: "a test disk", device },
      { name: "other", device: readOnlyDevice(memoryReader(Buffer.alloc(4096))) },
    ],
    tls: undefined,
    clock,
    pool: createSlabPool(),
    onClosed: () => {
      closed = true;
    },
  });
  return Object.assign(fake, { closed: () => closed });
}

/** A connection past negotiation; answers are read from `start` on. */
function ready(device: WritableDisk, { structured = true } = {}) {
  const fake = serve(device);
  fake.feed(clientFlags());
  if (structured) {
    fake.feed(option(8));
    fake.feed(option(10, metaContextData("disk", ["base:allocation"])));
  }
  fake.feed(option(7, infoData("disk")));
  const start = fake.output().length;
  const lengths = new Map<number, number>();
  return Object.assign(fake, {
    lengths,
    replies: (): ServerReply[] => serverReplies(fake.output(), start, lengths),
  });
}

test("the greeting offers the fixed newstyle", () => {
  const greeting = serve(memoryDevice(Buffer.alloc(size))).output();
  expect(greeting.toString("latin1", 0, 16)).toBe("NBDMAGICIHAVEOPT");
  expect(greeting.readUInt16BE(16)).toBe(3);
});

test("EXPORT_NAME answers size and flags, with zeros only for clients that want them", () => {
  for (const [flags, length] of [
    [3, 10],
    [1, 134],
  ] as const) {
    const fake = serve(memoryDevice(Buffer.alloc(size)));
    fake.feed(Buffer.concat([clientFlags(flags), option(1, Buffer.from("disk"))]));
    const answer = fake.output().subarray(18);
    expect(answer.length).toBe(length);
    expect(answer.readBigUInt64BE(0)).toBe(BigInt(size));
    expect(answer.readUInt16BE(8) & 1).toBe(1);
  }
});

test("EXPORT_NAME of an unknown name closes the connection", async () => {
  const fake = serve(memoryDevice(Buffer.alloc(size)));
  fake.feed(Buffer.concat([clientFlags(), option(1, Buffer.from("nothing"))]));
  await eventually(fake.closed);
});

test("LIST names every export", () => {
  const fake = serve(memoryDevice(Buffer.alloc(size)));
  fake.feed(Buffer.concat([clientFlags(), option(3)]));
  const replies = optionReplies(fake.output());
  expect(replies.map((reply) => reply.type)).toEqual([2, 2, 1]);
  expect(replies.slice(0, 2).map((reply) => reply.data.toString("utf8", 4))).toEqual(["disk", "other"]);
});

test("INFO tells size, flags, block size, name and description; a read-only export says so", () => {
  const fake = serve(memoryDevice(Buffer.alloc(size)));
  fake.feed(
    Buffer.concat([clientFlags(), option(6, infoData("disk", [1, 2, 3])), option(6, infoData("other"))]),
  );
  const replies = optionReplies(fake.output());
  const infos = replies.filter((reply) => reply.type === 3).map((reply) => reply.data);
  const find = (type: number) => infos.find((data) => data.readUInt16BE(0) === type);
  expect(find(0)?.readBigUInt64BE(2)).toBe(BigInt(size));
  expect([2, 6, 10].map((at) => find(3)?.readUInt32BE(at))).toEqual([1, 4096, 32 * 1024 * 1024]);
  expect(find(1)?.toString("utf8", 2)).toBe("disk");
  expect(find(2)?.toString("utf8", 2)).toBe("a test disk");
  const flagsOf = infos.filter((data) => data.readUInt16BE(0) === 0).map((data) => data.readUInt16BE(10));
  expect(flagsOf.map((flags) => (flags & 2) !== 0)).toEqual([false, true]);
});

test.each([
  ["an unknown option", option(77), errorBit + 1],
  ["STARTTLS without a certificate", option(5), errorBit + 1],
  ["GO with a name longer than its data", option(7, Buffer.from([0, 0, 1, 0, 65])), errorBit + 3],
  ["GO with more wishes than it has", option(7, Buffer.from([0, 0, 0, 0, 0, 9])), errorBit + 3],
  ["LIST with data", option(3, Buffer.from("x")), errorBit + 3],
  ["meta contexts before structured replies", option(10, metaContextData("disk", [])), errorBit + 3],
  ["GO of an unknown name", option(7, infoData("nothing")), errorBit + 6],
  ["an option with too much data", option(6, Buffer.alloc(17_000)), errorBit + 9],
])("%s is refused and the negotiation goes on", (_, bytes, type) => {
  const fake = serve(memoryDevice(Buffer.alloc(size)));
  fake.feed(clientFlags());
  for (let at = 0; at < bytes.length; at += 5000) fake.feed(bytes.subarray(at, at + 5000));
  expect(optionReplies(fake.output()).map((reply) => reply.type)).toEqual([type]);
  fake.feed(option(6, infoData("disk")));
  expect(optionReplies(fake.output()).at(-1)?.type).toBe(1);
});

test("ABORT is acknowledged and closes", async () => {
  const fake = serve(memoryDevice(Buffer.alloc(size)));
  fake.feed(Buffer.concat([clientFlags(), option(2)]));
  expect(optionReplies(fake.output()).map((reply) => reply.type)).toEqual([1]);
  await eventually(fake.closed);
});

test.each([
  ["unknown handshake flags", clientFlags(0x8003)],
  ["an option without its magic", Buffer.concat([clientFlags(), Buffer.alloc(16, 1)])],
  [
    "a thousand options and one",
    Buffer.concat([clientFlags(), ...Array.from({ length: 1001 }, () => option(3))]),
  ],
])("%s closes the connection", async (_, bytes) => {
  const fake = serve(memoryDevice(Buffer.alloc(size)));
  fake.feed(bytes);
  await eventually(fake.closed);
});

test("a client that does not choose an export in time is cut off, and one that did is not", async () => {
  const clock = createFakeClock();
  const idle = serve(memoryDevice(Buffer.alloc(size)), clock);
  const busy = serve(memoryDevice(Buffer.alloc(size)), clock);
  busy.feed(Buffer.concat([clientFlags(), option(7, infoData("disk"))]));
  clock.advance(30_000);
  await eventually(idle.closed);
  await settle();
  expect(busy.closed()).toBe(false);
});

test("meta contexts are listed and set by their exact name", () => {
  const fake = serve(memoryDevice(Buffer.alloc(size)));
  fake.feed(Buffer.concat([clientFlags(), option(8)]));
  const namesFor = (code: number, queries: readonly string[]) => {
    const before = fake.output().length;
    fake.feed(option(code, metaContextData("disk", queries)));
    return optionReplies(fake.output(), before)
      .filter((reply) => reply.type === 4)
      .map((reply) => reply.data.toString("utf8", 4));
  };
  expect(namesFor(9, [])).toEqual(["base:allocation"]);
  expect(namesFor(9, ["base:"])).toEqual(["base:allocation"]);
  expect(namesFor(10, ["base:"])).toEqual([]);
  expect(namesFor(10, ["qemu:dirty-bitmap:x", "base:allocation"])).toEqual(["base:allocation"]);
});

test.each([true, false])("every command does what it says (structured replies: %s)", async (structured) => {
  const content = patternBytes(size);
  const model = Buffer.from(content);
  const fake = ready(memoryDevice(content), { structured });
  fake.lengths.set(1, 5000);
  fake.feed(request({ command: 0, cookie: 1, offset: 100, length: 5000 }));
  const payload = Buffer.alloc(3000, 7);
  fake.feed(request({ command: 1, cookie: 2, offset: 11, payload, flags: 1 }));
  fake.feed(request({ command: 6, cookie: 3, offset: 8192, length: 4096 }));
  fake.feed(request({ command: 4, cookie: 4, offset: 16_384, length: 4096 }));
  fake.feed(request({ command: 3, cookie: 5 }));
  fake.feed(request({ command: 5, cookie: 6, offset: 0, length: size }));
  await eventually(() => fake.replies().length === 6);
  const replies = fake.replies();
  expect(replies.map((reply) => reply.error)).toEqual([0, 0, 0, 0, 0, 0]);
  const read = replies.find((reply) => reply.cookie === 1);
  expectBytes(read?.payload.subarray(structured ? 8 : 0) ?? Buffer.alloc(0), model.subarray(100, 5100));
  payload.copy(model, 11);
  model.fill(0, 8192, 12_288).fill(0, 16_384, 20_480);
  expectBytes(content, model);
  fake.feed(request({ command: 2 }));
  await eventually(() => fake.closed());
});

test("block status tells zeros from data, joined, and one extent only where that is asked", () => {
  const content = patternBytes(size);
  const device = memoryDevice(content, {
    *extents({ offsetBytes, lengthBytes }) {
      yield { kind: "data", offsetBytes, lengthBytes: 1000 };
      yield { kind: "data", offsetBytes: offsetBytes + 1000, lengthBytes: 3096 };
      yield { kind: "zero", offsetBytes: offsetBytes + 4096, lengthBytes: lengthBytes - 4096 };
    },
  });
  const fake = ready(device);
  fake.feed(request({ command: 7, cookie: 1, length: 8192 }));
  fake.feed(request({ command: 7, cookie: 2, length: 8192, flags: 8 }));
  const words = fake
    .replies()
    .map(({ payload }) =>
      Array.from({ length: payload.length / 4 }, (_, index) => payload.readUInt32BE(index * 4)),
    );
  expect(words).toEqual([
    [1, 4096, 0, 4096, 3],
    [1, 4096, 0],
  ]);
});

test("a long read of zeros is answered as a hole", () => {
  const fake = ready(
    memoryDevice(Buffer.alloc(size), {
      *extents(range) {
        yield { ...range, kind: "zero" };
      },
    }),
  );
  fake.feed(request({ command: 0, cookie: 1, offset: 4096, length: 65_536 }));
  expect(fake.replies()[0]).toMatchObject({ type: 2, error: 0 });
  expect(fake.replies()[0]?.payload.readUInt32BE(8)).toBe(65_536);
});

test.each([
  ["a read past the end", { command: 0, offset: size - 1, length: 2 }, 22],
  ["a read at an offset past 2^53", { command: 0, offset: 2 ** 60, length: 1 }, 22],
  ["a read that is too long", { command: 0, length: 33 * 1024 * 1024 }, 75],
  ["a write past the end", { command: 1, offset: size, payload: Buffer.alloc(10) }, 28],
  ["a trim past the end", { command: 4, offset: size, length: 1 }, 28],
  ["an unknown command", { command: 99 }, 22],
  ["an unknown flag", { command: 0, flags: 0x100, length: 1 }, 22],
  ["a flush with a range", { command: 3, length: 1 }, 22],
  ["a block status of nothing", { command: 7, length: 0 }, 22],
])("%s is an error and the connection goes on", async (_, row, error) => {
  for (const structured of [true, false]) {
    const fake = ready(memoryDevice(Buffer.alloc(size)), { structured });
    fake.feed(request(row));
    fake.lengths.set(2, 4);
    fake.feed(request({ command: 0, cookie: 2, length: 4 }));
    await eventually(() => fake.replies().length === 2);
    expect(fake.replies().map((reply) => reply.error)).toEqual([error, 0]);
  }
});

test("a write that is too long is skipped, not kept, and refused", async () => {
  const fake = ready(memoryDevice(Buffer.alloc(size)));
  fake.feed(request({ command: 1, cookie: 1, length: 40 * 1024 * 1024 }));
  const piece = Buffer.alloc(1024 * 1024);
  for (let sent = 0; sent < 40; sent += 1) fake.feed(piece);
  fake.feed(request({ command: 3, cookie: 2 }));
  await eventually(() => fake.replies().length === 2);
  expect(fake.replies().map((reply) => [reply.cookie, reply.error])).toEqual([
    [1, 75],
    [2, 0],
  ]);
});

test("changes of a read-only disk are refused", () => {
  const fake = ready(readOnlyDevice(memoryReader(Buffer.alloc(size))));
  fake.feed(request({ command: 1, cookie: 1, payload: Buffer.alloc(5) }));
  fake.feed(request({ command: 4, cookie: 2, length: 1 }));
  fake.feed(request({ command: 6, cookie: 3, length: 1 }));
  expect(fake.replies().map((reply) => reply.error)).toEqual([1, 1, 1]);
});

test.each([
  [new KeyframeError("disk-full", "full"), 28],
  [new KeyframeError("damaged", "bad frame"), 5],
  [new TypeError("a bug"), 5],
])(
  "%s of the disk is the request's error, thrown now or later, and the connection goes on",
  async (error, errno) => {
    const throwing = () => {
      throw error;
    };
    for (const fail of [throwing, () => settle(1).then(throwing)]) {
      for (const structured of [true, false]) {
        const fake = ready(memoryDevice(Buffer.alloc(size), { read: fail, write: fail, trim: fail }), {
          structured,
        });
        fake.feed(request({ command: 0, cookie: 1, length: 4096 }));
        fake.feed(request({ command: 1, cookie: 2, payload: Buffer.alloc(10) }));
        fake.feed(request({ command: 4, cookie: 3, length: 10 }));
        await eventually(() => fake.replies().length === 3);
        expect(fake.replies().map((reply) => reply.error)).toEqual([errno, errno, errno]);
      }
    }
  },
);

test("a disk that cannot tell its extents fails those requests only", async () => {
  const device = memoryDevice(Buffer.alloc(size), {
    extents: () => {
      throw new KeyframeError("closed", "too late");
    },
  });
  const fake = ready(device);
  fake.feed(request({ command: 7, cookie: 1, length: 8192 }));
  fake.feed(request({ command: 0, cookie: 2, length: 65_536 }));
  fake.feed(request({ command: 0, cookie: 3, length: 512 }));
  await eventually(() => fake.replies().length === 3);
  expect(fake.replies().map((reply) => reply.error)).toEqual([108, 108, 0]);
});

test("answers come in the order in which the requests end", async () => {
  const content = patternBytes(size);
  const waiting = new Map<number, () => void>();
  const device = memoryDevice(content, {
    read: (into, offset) =>
      new Promise((resolve) => {
        waiting.set(offset, () => resolve(content.copy(into, 0, offset, offset + into.length)));
      }),
  });
  const fake = ready(device);
  for (const cookie of [1, 2, 3])
    fake.feed(request({ command: 0, cookie, offset: cookie * 4096, length: 4096 }));
  for (const cookie of [3, 1, 2]) {
    waiting.get(cookie * 4096)?.();
    await eventually(() => fake.replies().at(-1)?.cookie === cookie);
  }
  for (const { cookie, payload } of fake.replies()) {
    expectBytes(payload.subarray(8), content.subarray(cookie * 4096, (cookie + 1) * 4096));
  }
});

test.each([
  ["a long answer is with the socket before the next request of the same turn is carried out", size, true],
  ["short answers of one turn go to the socket together", 4096, false],
])("%s", (_title, length, isWritten) => {
  const written: number[] = [];
  const fake = ready(
    memoryDevice(patternBytes(size), {
      read: (into) => {
        written.push(fake.output().length - before);
        return into.length;
      },
    }),
  );
  const before = fake.output().length;
  fake.feed(Buffer.concat([1, 2].map((cookie) => request({ command: 0, cookie, length }))));
  expect(written.map((bytes) => bytes > 0)).toEqual([false, isWritten]);
  expect(fake.replies()).toHaveLength(2);
});

test("a write with FUA is answered only after the flush", async () => {
  let flushed = (): void => undefined;
  const fake = ready(
    memoryDevice(Buffer.alloc(size), { flush: () => new Promise((resolve) => (flushed = resolve)) }),
  );
  fake.feed(request({ command: 1, cookie: 1, payload: Buffer.alloc(10, 1), flags: 1 }));
  await settle();
  expect(fake.replies()).toEqual([]);
  flushed();
  await eventually(() => fake.replies().length === 1);
});

test("no more than 128 requests of a connection are under way, and the rest follow", async () => {
  let underWay = 0;
  let most = 0;
  let finish: (() => void)[] = [];
  const device = memoryDevice(Buffer.alloc(size), {
    read: (into) => {
      underWay += 1;
      most = Math.max(most, underWay);
      return new Promise((resolve) => finish.push(() => resolve(into.length)));
    },
  });
  const fake = ready(device);
  for (let cookie = 1; cookie <= 300; cookie += 1) fake.feed(request({ command: 0, cookie, length: 512 }));
  expect(fake.state.paused).toBe(true);
  while (fake.replies().length < 300) {
    const ending = finish;
    finish = [];
    underWay -= ending.length;
    for (const end of ending) end();
    await settle(2);
  }
  expect(most).toBe(128);
});

test("requests of a client that does not take its answers are left unread, and go on when it does", async () => {
  let reads = 0;
  const device = memoryDevice(Buffer.alloc(size), {
    read: (into) => {
      reads += 1;
      return into.length;
    },
  });
  const fake = ready(device);
  fake.stalled = true;
  for (let cookie = 1; cookie <= 200; cookie += 1) fake.feed(request({ command: 0, cookie, length: size }));
  await settle();
  expect(reads).toBeLessThanOrEqual(33);
  expect(fake.state.paused).toBe(true);
  while (reads < 200) {
    fake.take();
    await settle(2);
  }
  fake.stalled = false;
  fake.take();
  await eventually(() => fake.replies().length === 200);
});

test("a client that leaves stops the reads that wait for it", async () => {
  let given: AbortSignal | undefined;
  const device = memoryDevice(Buffer.alloc(size), {
    read: (_into, _offset, signal) =>
      new Promise((_, reject) => {
        given = signal;
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  });
  const fake = ready(device);
  fake.feed(request({ command: 0, length: 4096 }));
  fake.close();
  await settle();
  expect(given?.aborted).toBe(true);
});

const cut = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });
function feedInPieces(fake: FakeSocket, bytes: Buffer, sizes: readonly number[]): void {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const length = sizes[turn % sizes.length] ?? 1;
    fake.feed(bytes.subarray(at, at + length));
    at += length;
  }
}

const anyRequest = fc.record({
  command: fc.integer({ min: 0, max: 9 }),
  flags: fc.constantFrom(0, 1, 2, 4, 8, 16),
  offset: fc.oneof(fc.integer({ min: 0, max: size }), fc.constantFrom(size - 1, 2 ** 52)),
  length: fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.constantFrom(size, 2 ** 32 - 1)),
});

test("any well-formed requests, cut anywhere, get exactly one answer each with the right bytes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRequest, { maxLength: 12 }),
      cut,
      fc.boolean(),
      fc.boolean(),
      async (rows, sizes, slow, structured) => {
        const content = patternBytes(size);
        const model = Buffer.from(content);
        const device = memoryDevice(content, slow ? { ...memoryReader(content, { slow: true }) } : {});
        const fake = ready(device, { structured });
        const wanted = new Map<number, { readonly command: number; readonly bytes: Buffer }>();
        const sent: Buffer[] = [];
        for (const [index, row] of rows.entries()) {
          if (row.command === 2) continue;
          const cookie = index + 1;
          const payload = row.command === 1 ? Buffer.alloc(Math.min(row.length, 9000), cookie) : undefined;
          // reads only before writes are compared: what they see of a concurrent change is not fixed
          const length = payload?.length ?? row.length;
          sent.push(request({ ...row, cookie, length, ...(payload === undefined ? {} : { payload }) }));
          wanted.set(cookie, {
            command: row.command,
            bytes: model.subarray(row.offset, row.offset + length),
          });
          if (row.command === 0) fake.lengths.set(cookie, length);
        }
        feedInPieces(fake, Buffer.concat(sent), sizes);
        await eventually(() => fake.replies().length === wanted.size);
        const unchanged = !rows.some((row) => [1, 4, 6].includes(row.command));
        for (const { cookie, error, type, payload } of fake.replies()) {
          const row = wanted.get(cookie);
          expect(row).toBeDefined();
          wanted.delete(cookie);
          if (unchanged && row?.command === 0 && error === 0 && type !== 2) {
            expectBytes(payload.subarray(structured ? 8 : 0), row.bytes);
          }
        }
        expect(wanted.size).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});

test("any bytes at all end in answers or a closed connection, never in an exception, and the next client is served", async () => {
  const fragments = fc.oneof(
    fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(
      clientFlags(),
      option(3),
      option(8),
      option(7, infoData("disk")),
      option(10, metaContextData("disk", ["base:allocation"])),
    ),
    fc
      .tuple(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 40 }))
      .map(([code, data]) => option(code, Buffer.from(data))),
    anyRequest.map((row) => request(row)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fragments, { maxLength: 15 }),
      cut,
      fc.boolean(),
      async (parts, sizes, polite) => {
        const device = memoryDevice(Buffer.alloc(size));
        const fake = serve(device);
        if (polite) fake.feed(clientFlags());
        feedInPieces(fake, Buffer.concat(parts), sizes);
        await settle(2);
        fake.close();
        await settle(1);
        expect(fake.closed()).toBe(true);
        const next = ready(device);
        next.feed(request({ command: 3 }));
        await eventually(() => next.replies().length === 1);
      },
    ),
    { numRuns: 400 },
  );
});

test("whatever clients say and in whatever order, no connection outlives its client", async () => {
  expect(await fuzzNbdMessages({ runs: 5_000, seed: 3 })).toBeGreaterThan(10);
});
