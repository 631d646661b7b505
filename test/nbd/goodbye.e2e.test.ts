import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readOnlyDevice } from "../../src/blocks/writable-disk.ts";
import { startNbdServer } from "../../src/nbd/server.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { listenNodeSocket } from "../../src/system/net/sockets.ts";
import { memoryReader } from "../support/memory-reader.ts";
import { clientFlags, infoData, option, request } from "../support/nbd-bytes.ts";
import { scratchFolder } from "../support/scratch.ts";

// Clients that say goodbye while answers are under way, and say more behind it: over real sockets, because whether the
// kernel tells of a close depends on who reads.

const size = 1024 * 1024;

async function serve() {
  const path = join(scratchFolder(), "disk.sock");
  const content = memoryReader(Buffer.alloc(size, 1));
  const device = readOnlyDevice({
    ...content,
    // later, as from a disk or a store
    read: async (into, offset, signal) => {
      await new Promise((resolve) => setImmediate(resolve));
      return content.read(into, offset, signal);
    },
  });
  const server = await startNbdServer(
    { address: { path }, exports: [{ name: "", device }] },
    { listenSocket: listenNodeSocket, clock: nodeClock },
  );
  onTestFinished(() => server.close());
  return { path, server };
}

function opened(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.on("error", reject);
  });
}

async function over(socket: Socket): Promise<void> {
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
}

const hello = Buffer.concat([clientFlags(), option(7, infoData(""))]);
const goodbye = request({ command: 2 });

test.each([
  [200, 4096, 1000],
  [300, 65536, 1000],
  [300, 65536, 300_000],
  [5, 4096, 300_000],
  [0, 4096, 3_000_000],
])(
  "%i reads of %i bytes, a goodbye and %i bytes behind it leave no connection",
  async (count, length, behind) => {
    const { path, server } = await serve();
    const reads = Array.from({ length: count }, (_, cookie) =>
      request({ command: 0, cookie, offset: 0, length }),
    );
    const sockets = await Promise.all(Array.from({ length: 6 }, () => opened(path)));
    for (const socket of sockets) {
      socket.on("error", () => undefined); // the server may close before it has read all
      socket.resume();
      socket.write(Buffer.concat([hello, ...reads, goodbye, Buffer.alloc(behind, "q")]));
    }
    await Promise.all(sockets.map(over));
    await expect.poll(() => server.connections()).toBe(0);
  },
);

test("clients that go away without reading leave no connection, whatever they were told", async () => {
  const { path, server } = await serve();
  const reads = Array.from({ length: 400 }, (_, cookie) =>
    request({ command: 0, cookie, offset: 0, length: 65536 }),
  );
  for (const last of [
    Buffer.alloc(0),
    goodbye,
    Buffer.concat([goodbye, Buffer.alloc(300_000)]),
    Buffer.alloc(40),
  ]) {
    const sockets = await Promise.all(Array.from({ length: 6 }, () => opened(path)));
    for (const socket of sockets) {
      socket.on("error", () => undefined); // gone in the middle
      socket.write(Buffer.concat([hello, ...reads, last]));
      setTimeout(() => socket.destroy(), 5);
    }
    await Promise.all(sockets.map(over));
  }
  await expect.poll(() => server.connections()).toBe(0);
});

test("bytes behind a negotiation that the client has ended are dropped", async () => {
  const { path, server } = await serve();
  const socket = await opened(path);
  socket.on("error", () => undefined); // closed while it writes
  socket.resume();
  socket.write(Buffer.concat([clientFlags(), option(2), Buffer.alloc(3_000_000)]));
  await over(socket);
  await expect.poll(() => server.connections()).toBe(0);
});
