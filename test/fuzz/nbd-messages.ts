import type { WritableDisk } from "../../src/blocks/writable-disk.ts";
import { serveConnection } from "../../src/nbd/connection.ts";
import { createSlabPool } from "../../src/nbd/reply-writer.ts";
import { createFakeClock } from "../../src/system/clock.ts";
import { createFakeSocket } from "../support/fake-socket.ts";
import { memoryReader } from "../support/memory-reader.ts";
import { clientFlags, infoData, metaContextData, option, request } from "../support/nbd-bytes.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";

const diskBytes = 1024 * 1024;
const mostMessages = 200;

/**
 * Clients that say any messages in any order, right ones and damaged ones, for so many messages, over sockets that take
 * answers now, later or never. Each goes away at last: then its connection must be over. Returns the number of clients.
 */
export async function fuzzNbdMessages(options: {
  readonly runs: number;
  readonly seed: number;
}): Promise<number> {
  const random = seededRandom(options.seed);
  const pool = createSlabPool();
  let clients = 0;
  for (let said = 0; said < options.runs; clients += 1) {
    const fake = createFakeSocket();
    let isClosed = false;
    serveConnection({
      socket: fake.socket,
      exports: [{ name: "disk", device: slowDevice(random) }],
      tls: undefined,
      clock: createFakeClock(),
      pool,
      onClosed: () => {
        if (isClosed) throw new Error("a connection was closed twice");
        isClosed = true;
      },
    });
    fake.stalled = random.below(3) === 0;
    said += await converse(fake, random);
    fake.close();
    fake.take();
    await new Promise((resolve) => setImmediate(resolve));
    if (!isClosed)
      throw new Error(`client ${clients} of seed ${options.seed} is gone and its connection is not`);
  }
  return clients;
}

async function converse(fake: ReturnType<typeof createFakeSocket>, random: SeededRandom): Promise<number> {
  if (random.below(10) > 0) fake.feed(Buffer.concat([clientFlags(), option(8)]));
  if (random.below(10) > 0) fake.feed(option(7, infoData("disk")));
  const count = 1 + random.below(mostMessages);
  for (let index = 0; index < count && !fake.state.destroyed; index += 1) {
    fake.feed(anything(random));
    if (random.below(20) === 0) await new Promise((resolve) => setImmediate(resolve));
    if (random.below(50) === 0) fake.take();
  }
  return count;
}

function anything(random: SeededRandom): Buffer {
  const cookie = random.below(2 ** 31);
  const length = random.pick([0, 1, 512, 4096, 65536, diskBytes, 2 ** 31]);
  const offset = random.pick([0, 1, 4096, diskBytes - 1, diskBytes, 2 ** 40]);
  switch (random.below(100)) {
    case 0:
      return random.bytes(random.below(64));
    case 1:
      return request({ command: 2, cookie });
    case 2:
      return option(random.below(12), random.bytes(random.below(40)));
    case 3:
      return option(10, metaContextData("disk", ["base:allocation"]));
    case 4:
      return mutated(request({ command: 0, cookie, offset, length }), random);
    case 5:
      return Buffer.concat([
        request({ command: 1, cookie, offset, length: 512 }),
        Buffer.alloc(random.below(600)),
      ]);
    case 6:
      return request({ command: random.below(20), cookie, offset, length, flags: random.below(64) });
    default: {
      const command = random.pick([0, 0, 0, 3, 4, 6, 7]);
      const write = Buffer.concat([
        request({ command: 1, cookie, offset: 0, length: 512 }),
        Buffer.alloc(512),
      ]);
      return random.below(4) === 0 ? write : request({ command, cookie, offset: 0, length: 4096 });
    }
  }
}

function mutated(bytes: Buffer, random: SeededRandom): Buffer {
  bytes.writeUInt8(random.below(256), random.below(bytes.length));
  return bytes;
}

/** A disk whose reads are at once or later, or fail. */
function slowDevice(random: SeededRandom): WritableDisk {
  const content = memoryReader(Buffer.alloc(diskBytes, 7));
  const soon = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    ...content,
    readOnly: false,
    read(into, offset, signal) {
      const kind = random.below(20);
      if (kind === 0) return soon().then(() => Promise.reject(new Error("the disk failed")));
      return kind < 10
        ? soon().then(() => content.read(into, offset, signal))
        : content.read(into, offset, signal);
    },
    write: () => (random.below(2) === 0 ? undefined : soon()),
    writeZeroes: () => undefined,
    trim: () => soon(),
    flush: soon,
  };
}
