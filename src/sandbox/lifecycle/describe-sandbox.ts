import type { SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { sandboxState } from "../store/sandbox-store.ts";

/** A sandbox as `--json` and the API show it. */
export function describeSandbox(context: SandboxContext, record: SandboxRecord) {
  return {
    id: record.id,
    name: record.name ?? null,
    state: sandboxState(context, record),
    image: record.image ?? null,
    snapshot: record.base ?? null,
    createdAt: new Date(record.createdAtMs).toISOString(),
    expiresAt: record.expiresAtMs === undefined ? null : new Date(record.expiresAtMs).toISOString(),
    memoryMiB: record.shape.memoryMiB,
    cpus: record.shape.cpus,
    diskBytes: record.shape.diskBytes,
    accelerator: record.shape.accelerator,
    generation: record.generation,
    diskLayers: record.disk.length,
    network: record.network?.allow ?? null,
    idleMs: record.idleMs ?? null,
    pid: record.machine?.process.pid ?? null,
  };
}
