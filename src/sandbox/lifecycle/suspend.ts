import { type SandboxContext, withLock } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { attachMachine, findSandbox, saveSandboxRecord } from "../store/sandbox-store.ts";
import { branchSandbox } from "./branch.ts";

/** Saves a sandbox and ends its machine. If it cannot be saved, it runs on. */
export async function suspendSandbox(context: SandboxContext, record: SandboxRecord): Promise<SandboxRecord> {
  const writing = await branchSandbox(context, record.id, { suspend: true });
  try {
    const snapshot = await writing.durable;
    return await withLock(context, `sandbox-${record.id}`, async () => {
      const now = findSandbox(context, record.id);
      const machine = await attachMachine(context, now);
      const { machine: _machine, expiresAtMs: _expiry, ...rest } = now;
      const stopped: SandboxRecord = {
        ...rest,
        status: "stopped",
        suspended: snapshot.id,
        disk: snapshot.disk.map(({ id, kind }) => ({ id, kind })),
      };
      // first: from here on it can be resumed, whether this process lives to end the machine or not
      saveSandboxRecord(context, stopped);
      await machine.kill();
      return stopped;
    });
  } catch (error) {
    await withLock(context, `sandbox-${record.id}`, async () => {
      const machine = await attachMachine(context, findSandbox(context, record.id));
      await machine.resume();
      machine.detach();
    });
    throw error;
  }
}
