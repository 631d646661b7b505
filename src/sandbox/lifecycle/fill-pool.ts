import { KeyframeError } from "../../base/errors.ts";
import { collectCommand, withGuest } from "../guest/session.ts";
import type { VirtualMachine } from "../hypervisor.ts";
import type { SnapshotId } from "../ids.ts";
import { maxPoolSize } from "../limits.ts";
import { startDeadline } from "../qemu/deadline.ts";
import { eraseSandbox } from "../removal/erase-sandbox.ts";
import { lockInHome, type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import type { ReadySnapshot } from "../store/snapshot-store.ts";
import { listPool, wakeGuest } from "./pool.ts";
import { planFromSnapshot, type SandboxPlan, startSandbox } from "./start-sandbox.ts";

export interface PoolOptions {
  /** How many are to be ready. */
  readonly size: number;
  /** A machine that nobody has taken ends after this. */
  readonly idleMs: number;
}

/**
 * Brings the pool of a snapshot to its size: starts what is missing, ends what is too much. Returns the machines that
 * are ready then. One filler at a time for each snapshot: a second one waits, and finds the work done.
 */
export async function fillPool(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  options: PoolOptions,
): Promise<readonly SandboxRecord[]> {
  const { size, idleMs } = options;
  if (!Number.isSafeInteger(size) || size < 0 || size > maxPoolSize) {
    throw new KeyframeError("invalid-input", `the size of a pool must be from 0 to ${maxPoolSize}: ${size}`);
  }
  const lock = await lockInHome(context, `pool-${snapshot.id}`, fillWaitMs);
  try {
    await drainPool(context, snapshot.id, size);
    const missing = size - listPool(context, snapshot.id).length;
    const plan = missing > 0 ? await planMember(context, snapshot, idleMs) : undefined;
    let left = missing;
    const worker = async () => {
      for (; plan !== undefined && left > 0; ) {
        left -= 1;
        await startSandbox(context, plan);
      }
    };
    const workers = Array.from({ length: Math.max(0, Math.min(context.cores, missing)) }, worker);
    // all have ended before the next filler may count
    for (const result of await Promise.allSettled(workers)) {
      if (result.status === "rejected") throw result.reason;
    }
    return listPool(context, snapshot.id);
  } finally {
    await lock.release();
  }
}

const fillWaitMs = 120_000;

/** Ends the machines that are ready for a snapshot, but so many of the newest. Sandboxes that were taken go on. */
export async function drainPool(context: SandboxContext, snapshot: SnapshotId, keep = 0): Promise<void> {
  await withLock(context, snapshotsLock, async () => {
    const members = listPool(context, snapshot);
    for (const member of members.slice(0, Math.max(0, members.length - keep))) {
      await eraseSandbox(context, member);
    }
  });
}

async function planMember(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  idleMs: number,
): Promise<SandboxPlan> {
  return {
    ...(await planFromSnapshot(context, snapshot)),
    async settle(machine, running) {
      await warmUp(context, machine, running);
      const { process } = machine.address;
      const folder = context.home.sandboxFolder(running.id);
      const deadline = await startDeadline(context, process, { lifetimeMs: idleMs, folder });
      return {
        ...running,
        status: "pooled",
        expiresAtMs: context.clock.nowMs() + idleMs,
        deadline,
      };
    },
  };
}

/**
 * Lets the guest do what it will do first when it is taken, so that the emulator has translated it and the pages are
 * its own: a command, and being woken. Then it is stopped.
 */
async function warmUp(
  context: SandboxContext,
  machine: VirtualMachine,
  running: SandboxRecord,
): Promise<void> {
  await withGuest(context, running, async (guest) => void (await collectCommand(guest, { argv: ["true"] })));
  for (let round = 0; round < wakeRounds; round += 1) {
    // the end of a conversation has been dealt with when the next one is answered
    await withGuest(context, running, (guest) => guest.ping());
    await machine.pause();
    if (round < wakeRounds - 1) await wakeGuest(context, running, Promise.resolve(machine));
  }
}

const wakeRounds = 2;
