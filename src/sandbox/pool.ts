import { KeyframeError } from "../base/errors.ts";
import { fault } from "../system/fault.ts";
import { startDeadline } from "./deadline.ts";
import { eraseSandbox } from "./erase-sandbox.ts";
import { openGuestSession } from "./guest-session.ts";
import { type SandboxWorld, snapshotsLock, withLock } from "./home.ts";
import type { SnapshotId } from "./ids.ts";
import type { SandboxRecord } from "./records.ts";
import { planIdentity } from "./renew-guest.ts";
import { listSandboxes, sandboxState, saveSandboxRecord } from "./sandbox-store.ts";
import { claimName, releaseName } from "./snapshot-store.ts";

// A pool is the sandboxes of a snapshot whose state is `pooled`: machines that were started, have their own identity,
// have answered, and were stopped. Any process takes one by changing its record.

/** The machines that are ready for a snapshot, oldest first. */
export function listPool(world: SandboxWorld, snapshot: SnapshotId): SandboxRecord[] {
  return listSandboxes(world).filter(
    (each) => each.base === snapshot && sandboxState(world, each) === "pooled",
  );
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
  world: SandboxWorld,
  snapshot: SnapshotId,
  request: PoolRequest,
): Promise<TakenSandbox | undefined> {
  for (;;) {
    const claimed = await claim(world, snapshot, request);
    if (claimed === undefined) return undefined;
    try {
      return await wake(world, claimed);
    } catch (error) {
      // ended by its time limit or from outside since it was listed: the next one, or none
      await eraseSandbox(world, { ...claimed, status: "running" });
      world.warn(`sandbox ${claimed.id} of the pool could not be used: ${String(error)}`);
    }
  }
}

/** Under the lock under which snapshots are removed and garbage is collected: a machine is claimed or drained. */
function claim(
  world: SandboxWorld,
  snapshot: SnapshotId,
  request: PoolRequest,
): Promise<SandboxRecord | undefined> {
  return withLock(world, snapshotsLock, async () => {
    const [member] = listPool(world, snapshot);
    if (member === undefined) return undefined;
    if (request.name !== undefined) claimName(world, "sandbox", request.name, member.id);
    fault("pool:after-name");
    const { expiresAtMs: _expiry, ...kept } = member;
    const claimed: SandboxRecord = {
      ...kept,
      ...request,
      status: "starting",
      starter: world.processTable.self(),
      createdAtMs: world.clock.nowMs(),
    };
    try {
      saveSandboxRecord(world, claimed);
    } catch (error) {
      if (request.name !== undefined) releaseName(world, "sandbox", request.name, member.id);
      throw error;
    }
    fault("pool:after-claim");
    return claimed;
  });
}

async function wake(world: SandboxWorld, claimed: SandboxRecord): Promise<TakenSandbox> {
  const folder = world.home.sandboxFolder(claimed.id);
  const { starter: _starter, deadline, ...rest } = claimed;
  if (rest.machine === undefined) throw new KeyframeError("damaged", `sandbox ${claimed.id} has no machine`);
  if (deadline !== undefined) world.processTable.signal(deadline, "SIGKILL");
  const machine = await world.hypervisor.attach({ folder, ...rest.machine });
  try {
    const identity = planIdentity(world, claimed);
    const session = await openGuestSession(world, claimed, {
      identity: identity.guest,
      onSpoken: () => machine.resume(),
    });
    // its hooks have run when it was made ready, with a seed of its own
    const { problems } = await session.guest.renewIdentity(identity.guest).finally(() => session.close());
    const lifetimeMs = rest.expiresAtMs === undefined ? undefined : rest.expiresAtMs - world.clock.nowMs();
    const until =
      lifetimeMs === undefined
        ? undefined
        : await startDeadline(world, rest.machine.process, { lifetimeMs, folder });
    const running: SandboxRecord = {
      ...rest,
      status: "running",
      ...(until === undefined ? {} : { deadline: until }),
    };
    fault("pool:after-wake");
    saveSandboxRecord(world, running);
    return { record: running, problems };
  } finally {
    machine.detach();
  }
}
