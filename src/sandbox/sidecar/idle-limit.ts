import { errorText, isKeyframeError } from "../../base/errors.ts";
import type { HeldLock } from "../../system/locks/named-lock.ts";
import { suspendSandbox } from "../lifecycle/suspend.ts";
import { guestPortCount } from "../limits.ts";
import type { PortForwards } from "../network/port-forwards.ts";
import { lastUseMs } from "../qemu/last-use.ts";
import { lockInHome, type SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { findSandbox } from "../store/sandbox-store.ts";

export interface IdleWatch {
  readonly record: SandboxRecord;
  /** The port on which the watching process itself talks to the guest: not a use. */
  readonly ownPort: number;
  readonly forwards: PortForwards;
  readonly signal: AbortSignal;
}

/** A timer holds at most 24 days. */
const longestSleepMs = 24 * 60 * 60 * 1000;

/**
 * Stops the sandbox, so that `resume` continues it, when nobody has talked to its guest for `limitMs`: no command, no
 * copying, no connection through a forwarded port. Judged on this side only: a guest cannot keep itself busy.
 */
export async function stopWhenIdle(
  context: SandboxContext,
  limitMs: number,
  { record, ownPort, forwards, signal }: IdleWatch,
): Promise<void> {
  let usedAtMs = context.clock.nowMs();
  for (;;) {
    usedAtMs = Math.max(usedAtMs, lastUseMs(context, record));
    if (forwards.inUse()) usedAtMs = context.clock.nowMs();
    const leftMs = usedAtMs + limitMs - context.clock.nowMs();
    if (leftMs > 0) {
      await context.clock.sleep(Math.min(leftMs, longestSleepMs), signal);
      continue;
    }
    const ports = await takeOtherPorts(context, record, ownPort);
    if (ports === undefined) {
      usedAtMs = context.clock.nowMs();
      continue;
    }
    try {
      // all ports are held: no command can begin between this look and the stop
      if (lastUseMs(context, record) > usedAtMs) continue;
      context.warn(`idle for ${limitMs} ms: stopping it`);
      await suspendSandbox(context, findSandbox(context, record.id));
      return;
    } catch (error) {
      // it runs on, and is tried again after another such time
      context.warn(`it could not be stopped: ${errorText(error)}`);
      usedAtMs = context.clock.nowMs();
    } finally {
      for (const lock of ports) await lock.release();
    }
  }
}

/** Undefined if somebody talks to the guest. */
async function takeOtherPorts(
  context: SandboxContext,
  record: SandboxRecord,
  ownPort: number,
): Promise<HeldLock[] | undefined> {
  const held: HeldLock[] = [];
  for (let port = 0; port < guestPortCount; port += 1) {
    if (port === ownPort) continue;
    try {
      held.push(await lockInHome(context, `guest-${record.id}-${port}`, 0));
    } catch (error) {
      for (const lock of held) await lock.release();
      if (!isKeyframeError(error, "lock-busy")) throw error;
      return undefined;
    }
  }
  return held;
}
