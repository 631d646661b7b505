import { type SandboxWorld, withLock } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { attachMachine, findSandbox, saveSandboxRecord } from "../store/sandbox-store.ts";
import { branchSandbox } from "./branch.ts";

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
