import type { SandboxWorld } from "../../sandbox/home.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";
import { sandboxState } from "../../sandbox/sandbox-store.ts";

/** A sandbox as `--json` shows it. */
export function describeSandbox(world: SandboxWorld, record: SandboxRecord) {
  return {
    id: record.id,
    name: record.name ?? null,
    state: sandboxState(world, record),
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

/** "5 s", "12 min", "3 h", "2 d". */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}
