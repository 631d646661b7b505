import { connect, createServer, type Server, type Socket } from "node:net";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import { errnoOf } from "../files/files.ts";

export interface HeldLock {
  release(): Promise<void>;
}

export interface NamedLockOptions {
  /** How long to wait for the holder; 0 to try once. */
  readonly waitMs: number;
  readonly clock: Clock;
}

/**
 * Takes a lock that the kernel gives back when its holder ends, however it ends: a listening socket in Linux's
 * abstract namespace. Nothing is left in the file system, so there is no stale lock to judge. `lock-busy` when the
 * time is over. The name must be hard to guess, or another user of the machine could hold it.
 */
export async function acquireNamedLock(name: string, options: NamedLockOptions): Promise<HeldLock> {
  const { clock, waitMs } = options;
  const giveUpAtMs = clock.monotonicMs() + waitMs;
  let holder: number | undefined;
  for (;;) {
    const held = await tryListen(`\0keyframe-${name}`);
    if (held !== undefined) return held;
    const leftMs = giveUpAtMs - clock.monotonicMs();
    if (leftMs <= 0) {
      const who = holder === undefined ? "another process" : `process ${holder}`;
      throw new KeyframeError("lock-busy", `${who} is working on it (waited ${waitMs} ms)`, {
        hint: "wait for the other command to end, then try again",
      });
    }
    holder = (await waitForHolder(`\0keyframe-${name}`, leftMs, clock)) ?? holder;
  }
}

function tryListen(path: string): Promise<HeldLock | undefined> {
  return new Promise((resolve, reject) => {
    const waiters = new Set<Socket>();
    const server: Server = createServer((socket) => {
      waiters.add(socket);
      socket.write(`${process.pid}\n`); // so that an impatient waiter can name the holder
      socket.on("error", () => undefined); // a waiter that gave up
      socket.on("close", () => waiters.delete(socket));
    });
    server.once("error", (error) => {
      if (errnoOf(error) === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve({
        release: () =>
          new Promise((released) => {
            server.close(() => released());
            for (const socket of waiters) socket.destroy();
          }),
      });
    });
  });
}

/** Resolves when the holder has released the lock, or when the time is over; returns the holder's pid if it said so. */
async function waitForHolder(path: string, leftMs: number, clock: Clock): Promise<number | undefined> {
  let said = "";
  const limit = new AbortController();
  const socket = connect(path);
  try {
    await Promise.race([
      new Promise<void>((resolve) => {
        socket.on("error", () => resolve());
        socket.on("close", () => resolve());
        socket.on("data", (bytes) => {
          if (said.length < maxPidText) said += bytes.toString("latin1");
        });
      }),
      clock.sleep(leftMs, limit.signal).catch(() => undefined), // its abort
    ]);
  } finally {
    limit.abort();
    socket.destroy();
  }
  return /^\d+\n/.test(said) ? Number.parseInt(said, 10) : undefined;
}

const maxPidText = 20;
