import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createFakeClock, nodeClock } from "../../../src/system/clock.ts";
import { acquireNamedLock } from "../../../src/system/locks/named-lock.ts";

const isLinux = process.platform === "linux";

test.skipIf(!isLinux)("a waiter gets the lock when its holder releases it", async () => {
  const name = randomUUID();
  const first = await acquireNamedLock(name, { waitMs: 0, clock: nodeClock });
  const second = acquireNamedLock(name, { waitMs: 60_000, clock: nodeClock });
  await first.release();
  await (await second).release();
});

test.skipIf(!isLinux)("a waiter whose time is over names the holder", async () => {
  const name = randomUUID();
  const held = await acquireNamedLock(name, { waitMs: 0, clock: nodeClock });
  const clock = createFakeClock();
  const waiting = acquireNamedLock(name, { waitMs: 1000, clock });
  waiting.catch(() => undefined);
  let isOver = false;
  void waiting.catch(() => (isOver = true));
  while (!isOver) {
    await nodeClock.sleep(20); // the holder's answer comes by a socket
    clock.advance(1000);
  }
  await expect(waiting).rejects.toThrow(`process ${process.pid} is working on it (waited 1000 ms)`);
  await held.release();
});
