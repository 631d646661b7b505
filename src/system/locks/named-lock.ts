import { linkSync, mkdirSync, readdirSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import { errnoOf, toFileError } from "../files/files.ts";
import { listenPrivately } from "../net/sockets.ts";

export interface HeldLock {
  release(): Promise<void>;
}

export interface NamedLockOptions {
  /** How long to wait for the holder; 0 to try once. */
  readonly waitMs: number;
  readonly clock: Clock;
}

/**
 * Takes a lock that the kernel gives back when its holder ends, however it ends: a listening socket in a directory of this
 * user's only, so that nobody else can hold it. `lock-busy` when the time is over.
 *
 * The directory holds sockets with numbers for names; the highest one is the lock, and is free when nobody listens on it.
 * It is taken by making the next number, which only one can, and then being the highest. The highest is never removed,
 * so two processes that find a dead holder cannot both follow it.
 */
export async function acquireNamedLock(folder: string, options: NamedLockOptions): Promise<HeldLock> {
  const { clock, waitMs } = options;
  const giveUpAtMs = clock.monotonicMs() + waitMs;
  makeLockFolder(folder);
  let holder: number | undefined;
  for (;;) {
    const highest = highestOf(folder);
    // asked first: most locks are free, and a socket of our own for one that is not would be for nothing
    const leftMs = giveUpAtMs - clock.monotonicMs();
    const found = await askHolder(join(folder, String(highest)), Math.max(leftMs, 0), clock);
    if (found.isFree) {
      const held = await tryTake(folder, highest + 1);
      if (held !== undefined) return held;
      continue; // another one was faster
    }
    holder = found.pid ?? holder;
    if (giveUpAtMs - clock.monotonicMs() > 0) continue;
    const who = holder === undefined ? "another process" : `process ${holder}`;
    throw new KeyframeError("lock-busy", `${who} is working on it (waited ${waitMs} ms)`, {
      hint: "wait for the other command to end, then try again",
    });
  }
}

function makeLockFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw toFileError(error, folder, "create");
  }
}

/** 0 if the lock was never taken. */
function highestOf(folder: string): number {
  return Math.max(0, ...entriesOf(folder).map((name) => (/^\d{1,15}$/.test(name) ? Number(name) : 0)));
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw toFileError(error, folder, "list");
  }
}

let attempts = 0;

async function tryTake(folder: string, number: number): Promise<HeldLock | undefined> {
  attempts += 1;
  // listening before it has the name: whoever sees the name finds a holder
  const unnamed = join(folder, `t${process.pid}.${attempts}`);
  const path = join(folder, String(number));
  const held = await listenAsHolder(unnamed);
  try {
    linkSync(unnamed, path);
  } catch (error) {
    await held.release();
    if (errnoOf(error) === "EEXIST") return undefined;
    throw toFileError(error, path, "create");
  } finally {
    removeQuietly(unnamed);
  }
  if (highestOf(folder) !== number) {
    // the number was free because it is long past
    removeQuietly(path);
    await held.release();
    return undefined;
  }
  for (const name of entriesOf(folder)) if (isPast(name, number)) removeQuietly(join(folder, name));
  return held;
}

/** A lower number, or the unnamed socket of a process that has ended in between. */
function isPast(name: string, number: number): boolean {
  const pid = /^t(\d+)\.\d+$/.exec(name)?.[1];
  if (pid === undefined) return Number(name) < number;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return errnoOf(error) === "ESRCH";
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw toFileError(error, path, "remove");
  }
}

function listenAsHolder(path: string): Promise<HeldLock> {
  return new Promise((resolve, reject) => {
    const waiters = new Set<Socket>();
    const server: Server = createServer((socket) => {
      waiters.add(socket);
      socket.write(`${process.pid}\n`); // so that an impatient waiter can name the holder
      socket.on("error", () => undefined); // a waiter that gave up
      socket.on("close", () => waiters.delete(socket));
    });
    server.once("error", (error) => reject(toFileError(error, path, "listen on")));
    listenPrivately(server, path, () => {
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

type Holder = { readonly isFree: true } | { readonly isFree: false; readonly pid: number | undefined };

/**
 * Resolves at once if nobody holds the lock, else when the holder has released it or when the time is over; with the
 * holder's pid if it said so.
 */
async function askHolder(path: string, leftMs: number, clock: Clock): Promise<Holder> {
  let said = "";
  const limit = new AbortController();
  const socket = connect(path);
  try {
    const isFree = await Promise.race([
      new Promise<boolean>((resolve, reject) => {
        let isHeld = false;
        socket.on("connect", () => {
          isHeld = true;
          if (leftMs === 0) resolve(false);
        });
        socket.on("error", (error) => {
          if (isHeld) return; // the close that follows tells it
          const errno = errnoOf(error) ?? "";
          // reset: it let go between the question and its answer
          if (["ENOENT", "ECONNREFUSED", "ECONNRESET"].includes(errno)) resolve(true);
          else if (errno === "EAGAIN")
            resolve(false); // more ask than its queue takes
          else reject(toFileError(error, path, "connect to"));
        });
        socket.on("close", () => resolve(false));
        socket.on("data", (bytes) => {
          if (said.length < maxPidText) said += bytes.toString("latin1");
        });
      }),
      ...(leftMs === 0 ? [] : [clock.sleep(leftMs, limit.signal).then(() => false)]),
    ]);
    if (isFree) return { isFree };
  } finally {
    limit.abort();
    socket.destroy();
  }
  return { isFree: false, pid: /^\d+\n/.test(said) ? Number.parseInt(said, 10) : undefined };
}

const maxPidText = 20;
