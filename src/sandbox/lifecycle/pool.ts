import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import { planIdentity } from "../guest/renew-identity.ts";
import { openGuestSession } from "../guest/session.ts";
import type { VirtualMachine } from "../hypervisor.ts";
import type { SnapshotId } from "../ids.ts";
import { startDeadline } from "../qemu/deadline.ts";
import { eraseSandbox } from "../removal/erase-sandbox.ts";
import { type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { listSandboxes, readSandboxes, sandboxState, saveSandboxRecord } from "../store/sandbox-store.ts";
import { claimName } from "../store/snapshot-store.ts";

// A pool is the sandboxes of a snapshot whose state is `pooled`: machines that were started, have their own identity,
// have answered, and were stopped. Any process takes one by changing its record.

/** The machines that are ready for a snapshot, oldest first. */
export function listPool(context: SandboxContext, snapshot: SnapshotId): SandboxRecord[] {
  return listSandboxes(context).filter((each) => isReadyFor(context, each, snapshot));
}

function isReadyFor(context: SandboxContext, record: SandboxRecord, snapshot: SnapshotId): boolean {
  return record.base === snapshot && sandboxState(context, record) === "pooled";
}

/** Any of them: with many sandboxes most of the time of taking one would go into reading the others. */
function findReady(context: SandboxContext, snapshot: SnapshotId): SandboxRecord | undefined {
  for (const record of readSandboxes(context)) if (isReadyFor(context, record, snapshot)) return record;
  return undefined;
}

/** What the sandbox is to be, beside what it is already. */
export type PoolRequest = Pick<SandboxRecord, "name" | "env" | "expiresAtMs">;

export interface TakenSandbox {
  readonly record: SandboxRecord;
  readonly problems: readonly string[];
}

/**
 * Makes a sandbox of a machine that is kept ready; undefined if there is none. Two callers never get the same one. If
 * the caller dies in between, the sandbox is `abandoned`, as a start would be.
 */
export async function takeFromPool(
  context: SandboxContext,
  snapshot: SnapshotId,
  request: PoolRequest,
): Promise<TakenSandbox | undefined> {
  for (;;) {
    const claimed = await claim(context, snapshot, request);
    if (claimed === undefined) return undefined;
    try {
      return await wake(context, claimed);
    } catch (error) {
      // ended by its time limit or from outside since it was listed: the next one, or none
      await eraseSandbox(context, { ...claimed, status: "running" });
      context.warn(`sandbox ${claimed.id} of the pool could not be used: ${String(error)}`);
    }
  }
}

/** Under the lock under which snapshots are removed and garbage is collected: a machine is claimed or drained. */
function claim(
  context: SandboxContext,
  snapshot: SnapshotId,
  request: PoolRequest,
): Promise<SandboxRecord | undefined> {
  return withLock(context, snapshotsLock, async () => {
    const member = findReady(context, snapshot);
    if (member === undefined) return undefined;
    const { expiresAtMs: _expiry, ...kept } = member;
    const claimed: SandboxRecord = {
      ...kept,
      ...request,
      status: "starting",
      starter: context.processTable.self(),
      createdAtMs: context.clock.nowMs(),
    };
    saveSandboxRecord(context, claimed);
    fault("pool:after-record");
    try {
      if (request.name !== undefined) claimName(context, "sandbox", request.name, member.id);
    } catch (error) {
      saveSandboxRecord(context, member);
      throw error;
    }
    fault("pool:after-claim");
    return claimed;
  });
}

async function wake(context: SandboxContext, claimed: SandboxRecord): Promise<TakenSandbox> {
  const folder = context.home.sandboxFolder(claimed.id);
  const { starter: _starter, deadline, ...rest } = claimed;
  if (rest.machine === undefined) throw new KeyframeError("damaged", `sandbox ${claimed.id} has no machine`);
  if (deadline !== undefined) context.processTable.signal(deadline, "SIGKILL");
  const attaching = context.hypervisor.attach({ folder, ...rest.machine });
  try {
    const problems = await wakeGuest(context, claimed, attaching);
    const lifetimeMs = rest.expiresAtMs === undefined ? undefined : rest.expiresAtMs - context.clock.nowMs();
    const until =
      lifetimeMs === undefined
        ? undefined
        : await startDeadline(context, rest.machine.process, { lifetimeMs, folder });
    const running: SandboxRecord = {
      ...rest,
      status: "running",
      ...(until === undefined ? {} : { deadline: until }),
    };
    fault("pool:after-wake");
    saveSandboxRecord(context, running);
    return { record: running, problems };
  } finally {
    await attaching.then(
      (machine) => machine.detach(),
      () => undefined, // wakeGuest has thrown it
    );
  }
}

/** Continues a stopped machine whose guest finds its identity in front of it. Returns what could not be renewed. */
export async function wakeGuest(
  context: SandboxContext,
  record: SandboxRecord,
  attaching: Promise<VirtualMachine>,
): Promise<readonly string[]> {
  attaching.catch(() => undefined); // awaited below, after steps that may fail first
  const identity = planIdentity(context, record).guest;
  const session = await openGuestSession(context, record, {
    identity,
    onSpoken: async () => (await attaching).resume(),
  });
  try {
    // its hooks have run when it was made ready, with a seed of its own
    return (await session.guest.renewIdentity(identity)).problems;
  } finally {
    await session.close();
  }
}
