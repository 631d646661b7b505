import { readdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFakeClock, nodeClock } from "../../../src/system/clock.ts";
import { acquireNamedLock } from "../../../src/system/locks/named-lock.ts";
import { scratchFolder } from "../../support/scratch.ts";

const isLinux = process.platform === "linux";

test.skipIf(!isLinux)("a waiter gets the lock when its holder releases it", async () => {
  const name = join(scratchFolder(), "lock");
  const first = await acquireNamedLock(name, { waitMs: 0, clock: nodeClock });
  const second = acquireNamedLock(name, { waitMs: 60_000, clock: nodeClock });
  await first.release();
  await (await second).release();
});

test.skipIf(!isLinux)("a waiter whose time is over names the holder", async () => {
  const name = join(scratchFolder(), "lock");
  const held = await acquireNamedLock(name, { waitMs: 0, clock: nodeClock });
  const clock = createFakeClock();
  const waiting = acquireNamedLock(name, { waitMs: 1000, clock });
  waiting.catch(() => undefined);
  let isOver = false;
  void waiting.catch(() => (isOver = true));
  while (!isOver) {
    await nodeClock.sleep(500); // the holder's answer comes by a socket
    clock.advance(1000);
  }
  await expect(waiting).rejects.toThrow(`process ${process.pid} is working on it (waited 1000 ms)`);
  await held.release();
});

test.skipIf(!isLinux)("the lock of a holder that died is taken, by one of many", async () => {
  const name = join(scratchFolder(), "lock");
  await (await acquireNamedLock(name, { waitMs: 0, clock: nodeClock })).release();
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 40 }, async () => {
      const held = await acquireNamedLock(name, { waitMs: 60_000, clock: nodeClock });
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      await held.release();
    }),
  );
  expect(most).toBe(1);
  expect(readdirSync(name)).toHaveLength(1);
});

test.skipIf(!isLinux)(
  "only this user can see or reach a lock, and no name outside of its folder holds it",
  async () => {
    const name = join(scratchFolder(), "lock");
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(`\0keyframe-${name}`, resolve));
    const held = await acquireNamedLock(name, { waitMs: 0, clock: nodeClock });
    expect(statSync(name).mode & 0o777).toBe(0o700);
    for (const entry of readdirSync(name)) expect(statSync(join(name, entry)).mode & 0o777).toBe(0o600);
    await held.release();
    await new Promise((resolve) => other.close(resolve));
  },
);
