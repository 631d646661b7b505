import fc from "fast-check";
import { expect, test } from "vitest";
import { sha256Hex } from "../../../src/base/digest.ts";
import { isKeyframeError } from "../../../src/base/errors.ts";
import { parseImageId } from "../../../src/blocks/ids.ts";
import { createMemoryStore } from "../../../src/blocks/stores/memory-store.ts";
import type { DiskLayerId, SnapshotId } from "../../../src/sandbox/ids.ts";
import { parseObjectName } from "../../../src/sandbox/ids.ts";
import {
  encodeRemoteSnapshot,
  parseRemoteSnapshot,
  publishSnapshotName,
  type RemoteSnapshot,
  readRemoteChain,
  readRemoteSnapshot,
} from "../../../src/sandbox/transfer/remote-snapshot.ts";
import { nodeClock } from "../../../src/system/clock.ts";
import { neverAborted } from "../../support/image-repository.ts";

const id = "sn-0123456789ab" as SnapshotId;
const layer = "dl-0123456789ab" as DiskLayerId;
const deviceState = Buffer.from("state");
const digest = "a".repeat(64);

const remote: RemoteSnapshot = {
  record: {
    format: 1,
    id,
    state: "ready",
    createdAtMs: 1,
    shape: {
      memoryMiB: 64,
      cpus: 1,
      diskBytes: 65536,
      accelerator: "tcg",
      machine: "microvm",
      processor: "max",
    },
    generation: 1,
    hypervisor: "qemu 7.2.22",
    memory: { memoryBytes: 1, tableDigest: digest, dataPages: 0, zeroPages: 0, fileBytes: 1 },
    deviceState: { sizeBytes: deviceState.length, sha256: sha256Hex(deviceState) },
    disk: [{ id: layer, kind: "raw", sha256: digest }],
    seal: digest,
  },
  deviceState,
  memory: parseImageId("b".repeat(64)),
  disk: new Map([[layer, parseImageId("c".repeat(64))]]),
};

test("a description says again what was described", () => {
  expect(parseRemoteSnapshot(encodeRemoteSnapshot(remote), id)).toEqual(remote);
});

test("a description of another snapshot, an unfinished one, with another device state or without a layer is damaged", () => {
  const harm: ((fields: Record<string, unknown>) => void)[] = [
    (fields) => Object.assign(fields, { record: { ...remote.record, id: "sn-ba9876543210" } }),
    (fields) => Object.assign(fields, { record: { ...remote.record, state: "writing" } }),
    (fields) => Object.assign(fields, { record: { ...remote.record, seal: undefined } }),
    (fields) => Object.assign(fields, { deviceState: Buffer.from("other").toString("base64") }),
    (fields) => Object.assign(fields, { disk: {} }),
    (fields) => Object.assign(fields, { memory: "../../etc" }),
    (fields) => Object.assign(fields, { format: 2 }),
  ];
  for (const apply of harm) {
    const fields = JSON.parse(encodeRemoteSnapshot(remote).toString("utf8")) as Record<string, unknown>;
    apply(fields);
    expect(() => parseRemoteSnapshot(Buffer.from(JSON.stringify(fields)), id), String(apply)).toThrow(
      expect.objectContaining({ code: "damaged" }),
    );
  }
});

test("any bytes are a description or damaged, nothing else", () => {
  const bytes = encodeRemoteSnapshot(remote);
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(value, at);
      try {
        parseRemoteSnapshot(changed, id);
      } catch (error) {
        expect(isKeyframeError(error, "damaged", "invalid-input"), String(error)).toBe(true);
      }
    }),
  );
});

test("a name belongs to who had it first, and a chain whose parent is not there cannot be read", async () => {
  const store = createMemoryStore({ clock: nodeClock });
  const name = parseObjectName("mine");
  await publishSnapshotName(store, { name, id }, neverAborted);
  await publishSnapshotName(store, { name, id }, neverAborted);
  const other = "sn-ba9876543210" as SnapshotId;
  await expect(publishSnapshotName(store, { name, id: other }, neverAborted)).rejects.toThrow(
    /means sn-0123/,
  );
  expect(await readRemoteSnapshot(store, id, neverAborted)).toBeUndefined();
  await expect(readRemoteChain(store, "mine", neverAborted)).rejects.toThrow(/no snapshot sn-0123/);
  await expect(readRemoteChain(store, "yours", neverAborted)).rejects.toThrow(/no snapshot yours/);
});
