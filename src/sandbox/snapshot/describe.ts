import { pageBytes } from "../memory/page-runs.ts";
import type { SandboxContext } from "../store/home.ts";
import type { SnapshotRecord } from "../store/records.ts";
import { snapshotState } from "../store/snapshot-store.ts";

/** A snapshot as `--json` and the API show it. */
export function describeSnapshot(context: SandboxContext, record: SnapshotRecord) {
  return {
    id: record.id,
    name: record.name ?? null,
    state: snapshotState(context, record),
    createdAt: new Date(record.createdAtMs).toISOString(),
    sandbox: record.sandbox ?? null,
    image: record.image ?? null,
    parent: record.parent?.id ?? null,
    memoryMiB: record.shape.memoryMiB,
    accelerator: record.shape.accelerator,
    hypervisor: record.hypervisor,
    /** Stored for this snapshot alone, bytes. */
    memoryStoredBytes: record.memory?.fileBytes ?? null,
    memoryDataBytes: record.memory === undefined ? null : record.memory.dataPages * pageBytes,
    deviceStateBytes: record.deviceState?.sizeBytes ?? null,
    /** The store that has memory and disk, if they are not here. */
    store: record.remote?.store ?? null,
    diskLayers: record.disk.length,
    pauseMs: record.pause?.totalMs ?? null,
    pause: record.pause ?? null,
  };
}
