import { KeyframeError } from "../../base/errors.ts";
import { type SandboxWorld, withLock } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { attachMachine, findSandbox, sandboxState, saveSandboxRecord } from "../store/sandbox-store.ts";
import { findSnapshot, mustBeReady } from "../store/snapshot-store.ts";
import { branchSandbox } from "./branch.ts";
import { planRestore, type StartedSandbox, startSandbox } from "./start-sandbox.ts";

/** Saves a sandbox and ends its machine. If it cannot be saved, it runs on. */
export async function suspendSandbox(world: SandboxWorld, record: SandboxRecord): Promise<SandboxRecord> {
  const writing = await branchSandbox(world, record.id, { suspend: true });
  try {
    const snapshot = await writing.durable;
    return await withLock(world, `sandbox-${record.id}`, async () => {
      const now = findSandbox(world, record.id);
      const machine = await attachMachine(world, now);
      const { machine: _machine, expiresAtMs: _expiry, ...rest } = now;
      const stopped: SandboxRecord = {
        ...rest,
        status: "stopped",
        suspended: snapshot.id,
        disk: snapshot.disk.map(({ id, kind }) => ({ id, kind })),
      };
      // first: from here on it can be resumed, whether this process lives to end the machine or not
      saveSandboxRecord(world, stopped);
      await machine.kill();
      return stopped;
    });
  } catch (error) {
    await withLock(world, `sandbox-${record.id}`, async () => {
      const machine = await attachMachine(world, findSandbox(world, record.id));
      await machine.resume();
      machine.detach();
    });
    throw error;
  }
}

/** Continues a stopped sandbox, under its id and name. If that fails, it stays stopped. */
export async function resumeSandbox(
  world: SandboxWorld,
  record: SandboxRecord,
  options: { readonly lifetimeMs?: number } = {},
): Promise<StartedSandbox> {
  return withLock(world, `resume-${record.id}`, async () => {
    const stopped = findSandbox(world, record.id);
    if (sandboxState(world, stopped) !== "stopped" || stopped.suspended === undefined) {
      throw new KeyframeError("refused", `sandbox ${record.name ?? record.id} is not stopped`);
    }
    const snapshot = mustBeReady(world, findSnapshot(world, stopped.suspended));
    const plan = await planRestore(world, snapshot);
    try {
      const started = await startSandbox(world, {
        ...plan,
        id: stopped.id,
        ...(stopped.name === undefined ? {} : { name: stopped.name }),
        ...(stopped.image === undefined ? {} : { image: stopped.image }),
        ...(options.lifetimeMs === undefined ? {} : { lifetimeMs: options.lifetimeMs }),
        ...(stopped.network === undefined ? {} : { network: stopped.network }),
        ...(stopped.idleMs === undefined ? {} : { idleMs: stopped.idleMs }),
        env: stopped.env,
      });
      return started;
    } catch (error) {
      saveSandboxRecord(world, stopped);
      throw error;
    }
  });
}
