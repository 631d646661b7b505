import { expect, test } from "vitest";
import type { DiskLayerId, SnapshotId } from "../../../src/sandbox/ids.ts";
import { type ReadySnapshot, sealOf } from "../../../src/sandbox/store/snapshot-store.ts";
import { checkTakenChain } from "../../../src/sandbox/transfer/import-snapshot.ts";

const digest = (digit: string) => digit.repeat(64);
const unsealed = {
  format: 1,
  state: "ready",
  createdAtMs: 1,
  shape: {
    memoryMiB: 64,
    cpus: 1,
    diskBytes: 1 << 30,
    accelerator: "tcg",
    machine: "microvm",
    processor: "max",
  },
  generation: 1,
  hypervisor: "qemu",
  memory: { memoryBytes: 4096, tableDigest: digest("a"), dataPages: 1, zeroPages: 0, fileBytes: 8192 },
  deviceState: { sizeBytes: 1, sha256: digest("b") },
  disk: [{ id: "dl-0123456789ab" as DiskLayerId, kind: "raw", sha256: digest("c") }],
} as const;

function sealed(id: string, more: Partial<ReadySnapshot> = {}): ReadySnapshot {
  const record = { ...unsealed, id: id as SnapshotId, ...more } as ReadySnapshot;
  return { ...record, seal: sealOf(record) };
}

const root = sealed("sn-000000000001");
const child = sealed("sn-000000000002", { parent: { id: root.id, seal: root.seal } });
const isDamaged = expect.objectContaining({ code: "damaged" });

test("sealed records that form a chain are taken", () => {
  expect(() => checkTakenChain([root, child])).not.toThrow();
});

test.each<[string, Partial<ReadySnapshot>]>([
  ["another disk", { disk: [{ ...unsealed.disk[0], sha256: digest("d") }] }],
  ["another memory", { memory: { ...unsealed.memory, tableDigest: digest("d") } }],
  ["another device state", { deviceState: { ...unsealed.deviceState, sha256: digest("d") } }],
  ["another machine", { shape: { ...unsealed.shape, cpus: 2 } }],
])("a record that names %s than when it was sealed is refused, wherever it is in the chain", (_, change) => {
  expect(() => checkTakenChain([{ ...root, ...change }])).toThrow(isDamaged);
  expect(() => checkTakenChain([root, { ...child, ...change }])).toThrow(isDamaged);
});

test("a chain with a link missing, in another order or over another parent is refused", () => {
  const impostor = sealed("sn-000000000001", { generation: 2 });
  for (const chain of [[child], [child, root], [root, root], [impostor, child]])
    expect(() => checkTakenChain(chain)).toThrow(isDamaged);
});
