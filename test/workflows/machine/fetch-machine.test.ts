import { expect, test } from "vitest";
import { sha256Hex } from "../../../src/base/digest.ts";
import { parseImageId } from "../../../src/blocks/ids.ts";
import { bytesContent } from "../../../src/blocks/stores/interface/object-content.ts";
import type { StoredMachine } from "../../../src/checkpoints/record/stored-machine.ts";
import type { DiskLayerId, SnapshotId } from "../../../src/sandbox/ids.ts";
import { type ReadySnapshot, sealOf } from "../../../src/sandbox/store/snapshot-store.ts";
import { encodeRemoteSnapshot, snapshotKey } from "../../../src/sandbox/transfer/remote-snapshot.ts";
import { fetchMachine, findMachineHere } from "../../../src/workflows/machine/fetch-machine.ts";
import { memoryRepository, neverAborted } from "../../support/image-repository.ts";
import { openBareContext } from "../../support/sandbox-context.ts";
import { scratchFolder } from "../../support/scratch.ts";

const deviceState = Buffer.from("state");
const digest = (letter: string) => letter.repeat(64);

function snapshot(id: string, parent?: ReadySnapshot): ReadySnapshot {
  const record: Omit<ReadySnapshot, "seal"> = {
    format: 1,
    id: id as SnapshotId,
    state: "ready",
    createdAtMs: 1,
    shape: {
      ...{
        memoryMiB: 64,
        cpus: 1,
        diskBytes: 65536,
        accelerator: "tcg",
        machine: "microvm",
        processor: "max",
      },
    },
    generation: 1,
    hypervisor: "qemu 7.2.22",
    memory: { memoryBytes: 1, tableDigest: digest("a"), dataPages: 0, zeroPages: 0, fileBytes: 1 },
    deviceState: { sizeBytes: deviceState.length, sha256: sha256Hex(deviceState) },
    disk: [{ id: "dl-0123456789ab" as DiskLayerId, kind: "raw", sha256: digest("a") }],
    ...(parent === undefined ? {} : { parent: { id: parent.id, seal: parent.seal } }),
  };
  return { ...record, seal: sealOf(record) };
}

const base = snapshot("sn-000000000001");
const head = snapshot("sn-000000000002", base);
const machine: StoredMachine = {
  version: 1,
  snapshot: head.id,
  seal: head.seal,
  images: [digest("1"), digest("2"), digest("3")],
  run: "m",
  directory: "/root/work",
  branch: "main",
  base: "d".repeat(40),
  tool: "claude",
};

/** The store of somebody else, in which these images are the memory of both snapshots and their disk. */
async function otherComputer({ memory = digest("2") }: { readonly memory?: string } = {}) {
  const images = await memoryRepository();
  const disk = new Map([["dl-0123456789ab" as DiskLayerId, parseImageId(digest("3"))]]);
  for (const [record, image] of [
    [base, digest("1")],
    [head, memory],
  ] as const) {
    const bytes = encodeRemoteSnapshot({ record, deviceState, memory: parseImageId(image), disk });
    await images.store.put(snapshotKey(record.id), bytesContent(bytes), { signal: neverAborted });
  }
  return { sandboxContext: openBareContext(scratchFolder()), images };
}

test("a machine that a checkpoint names is known here without its data, and is found then", async () => {
  const { sandboxContext, images } = await otherComputer();
  expect(findMachineHere(sandboxContext, machine)).toBeUndefined();
  const store = { images, location: "s3://machines", signal: neverAborted };
  const known = await fetchMachine(sandboxContext, store, machine);
  expect(known.remote).toEqual({
    store: "s3://machines",
    memory: digest("2"),
    disk: { "dl-0123456789ab": digest("3") },
  });
  expect(findMachineHere(sandboxContext, machine)?.seal).toBe(head.seal);
});

test("a store that has other images under the machine's id than the checkpoint names is refused, and nothing is kept", async () => {
  const { sandboxContext, images } = await otherComputer({ memory: digest("9") });
  const store = { images, location: "s3://machines", signal: neverAborted };
  await expect(fetchMachine(sandboxContext, store, machine)).rejects.toMatchObject({ code: "damaged" });
  expect(findMachineHere(sandboxContext, machine)).toBeUndefined();
});

test("a snapshot that is here under the machine's id with another content is not taken for it", async () => {
  const { sandboxContext, images } = await otherComputer();
  await fetchMachine(sandboxContext, { images, location: "s3://machines", signal: neverAborted }, machine);
  expect(findMachineHere(sandboxContext, { ...machine, seal: digest("f") })).toBeUndefined();
});
