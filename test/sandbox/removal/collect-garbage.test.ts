import fc from "fast-check";
import { expect, test } from "vitest";
import { isKeyframeError } from "../../../src/base/errors.ts";
import type { DiskLayerId, SandboxId, SnapshotId } from "../../../src/sandbox/ids.ts";
import { type GcView, planGc } from "../../../src/sandbox/removal/collect-garbage.ts";
import { planRemoval } from "../../../src/sandbox/removal/remove-snapshot.ts";
import type { SandboxRecord, SnapshotRecord } from "../../../src/sandbox/store/records.ts";

const shape = {
  memoryMiB: 64,
  cpus: 1,
  diskBytes: 1,
  accelerator: "tcg",
  machine: "microvm",
  processor: "max",
} as const;
const snapshotId = (index: number) => `sn-${String(index).padStart(12, "0")}` as SnapshotId;
const sandboxId = (index: number) => `sb-${String(index).padStart(12, "0")}` as SandboxId;
const layerId = (index: number) => `dl-${String(index).padStart(12, "0")}` as DiskLayerId;

function snapshot(index: number, more: Partial<SnapshotRecord> = {}): SnapshotRecord {
  const disk = [{ id: layerId(index), kind: "qcow2" as const, sha256: "0".repeat(64) }];
  return {
    format: 1,
    id: snapshotId(index),
    state: "ready",
    createdAtMs: index,
    shape,
    generation: 1,
    hypervisor: "qemu",
    disk,
    ...more,
  };
}

function sandbox(index: number, more: Partial<SandboxRecord> = {}): SandboxRecord {
  const disk = [{ id: layerId(100 + index), kind: "qcow2" as const }];
  return {
    format: 1,
    id: sandboxId(index),
    createdAtMs: index,
    status: "running",
    shape,
    generation: 1,
    env: {},
    disk,
    ...more,
  };
}

const on = (index: number) => ({ parent: { id: snapshotId(index), seal: "0".repeat(64) } });

const context = fc
  .record({
    parents: fc.array(fc.option(fc.nat(), { nil: undefined }), { minLength: 1, maxLength: 12 }),
    states: fc.array(fc.constantFrom("ready", "ready", "writing", "abandoned"), {
      minLength: 12,
      maxLength: 12,
    }),
    named: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    bases: fc.array(fc.record({ base: fc.nat(11), state: fc.constantFrom("running", "dead", "stopped") }), {
      maxLength: 4,
    }),
    keep: fc.option(fc.nat(5), { nil: undefined }),
    olderThanMs: fc.option(fc.nat(12), { nil: undefined }),
  })
  .map(({ parents, states, named, bases, keep, olderThanMs }) => {
    const snapshots = parents.map((parent, index) => ({
      // only what is complete can be stood on
      record: snapshot(index, {
        ...(parent === undefined || index === 0 || states[parent % index] !== "ready"
          ? {}
          : on(parent % index)),
        ...(named[index] ? { name: `n${index}` as never } : {}),
      }),
      state: states[index] as "ready" | "writing" | "abandoned",
    }));
    const ready = snapshots.filter(({ state }) => state === "ready");
    const sandboxes = bases.flatMap(({ base, state }, index) => {
      const from = ready[base % Math.max(1, ready.length)];
      return from === undefined
        ? []
        : [
            {
              record: sandbox(index, {
                base: from.record.id,
                ...(index % 2 === 0 ? { status: "pooled" as const } : {}),
              }),
              state: state as "running" | "dead" | "stopped",
            },
          ];
    });
    const diskLayers = [
      ...snapshots.map((_, index) => layerId(index)),
      ...sandboxes.map((_, index) => layerId(100 + index)),
      layerId(999),
    ];
    const view: GcView = {
      nowMs: 20,
      images: [],
      sandboxes,
      snapshots,
      diskLayers,
      memoryImages: snapshots.map(({ record }) => record.id),
      staging: [],
      warmStarts: [],
      strays: [],
    };
    return {
      view,
      policy: {
        ...(keep === undefined ? {} : { keep }),
        ...(olderThanMs === undefined ? {} : { olderThanMs }),
      },
    };
  });

test("whatever is collected, what stays has all that it needs, and nothing that is being written or named goes", () => {
  fc.assert(
    fc.property(context, ({ view, policy }) => {
      const plan = planGc(view, policy);
      const gone = new Set<string>([...plan.snapshots, ...plan.sandboxes].map((each) => each.id));
      const layers = new Set<string>(plan.diskLayers);
      for (const { record, state } of view.snapshots) {
        if (state === "abandoned") expect(gone).toContain(record.id);
        if (state === "writing" || (state === "ready" && record.name !== undefined))
          expect(gone).not.toContain(record.id);
        if (gone.has(record.id)) continue;
        if (record.parent !== undefined) expect(gone).not.toContain(record.parent.id);
        for (const layer of record.disk) expect(layers).not.toContain(layer.id);
      }
      for (const { record, state } of view.sandboxes) {
        // a dead machine's disk holds work: only `rm` removes it
        expect(gone.has(record.id)).toBe(state === "dead" && record.status === "pooled");
        if (gone.has(record.id)) continue;
        expect(gone).not.toContain(record.base);
        expect(plan.memoryImages).not.toContain(record.base);
        for (const layer of record.disk) expect(layers).not.toContain(layer.id);
      }
      expect(layers).toContain(layerId(999));
    }),
  );
});

test("without a policy no complete snapshot goes; with one, the newest stay and the rest goes leaf by leaf", () => {
  const snapshots = [snapshot(0), snapshot(1, on(0)), snapshot(2, on(1)), snapshot(3)].map((record) => ({
    record,
    state: "ready" as const,
  }));
  const view: GcView = {
    nowMs: 100,
    images: [],
    sandboxes: [],
    snapshots,
    diskLayers: [],
    memoryImages: [],
    staging: [],
    warmStarts: [],
    strays: [],
  };
  expect(planGc(view, {}).snapshots).toEqual([]);
  expect(planGc(view, { keep: 1 }).snapshots.map((each) => each.id)).toEqual([
    snapshotId(2),
    snapshotId(1),
    snapshotId(0),
  ]);
  expect(planGc(view, { keep: 2 }).snapshots).toEqual([]);
  expect(planGc(view, { olderThanMs: 98 }).snapshots).toEqual([]);
});

test("removing names what is in the way, takes leaves first, and spares the rest", () => {
  const all = {
    snapshots: [snapshot(0), snapshot(1, on(0)), snapshot(2, on(1)), snapshot(3, on(0))],
    sandboxes: [sandbox(7, { base: snapshotId(2) })],
  };
  const target = snapshot(1, on(0));
  const refusal = (options: { cascade?: boolean }) => {
    try {
      planRemoval(target, all, options);
    } catch (error) {
      expect(isKeyframeError(error, "in-use")).toBe(true);
      return String(error);
    }
    throw new Error("it was allowed");
  };
  expect(refusal({})).toContain(snapshotId(2));
  expect(refusal({ cascade: true })).toContain(sandboxId(7));
  const plan = planRemoval(target, all, { force: true });
  expect(plan.snapshots.map((each) => each.id)).toEqual([snapshotId(2), snapshotId(1)]);
  expect(plan.sandboxes.map((each) => each.id)).toEqual([sandboxId(7)]);
});

test("machines that are only kept ready are not in the way of removing, and go along", () => {
  const member = sandbox(8, { base: snapshotId(1), status: "pooled" });
  const all = { snapshots: [snapshot(1)], sandboxes: [member] };
  expect(planRemoval(snapshot(1), all, {}).sandboxes).toEqual([member]);
  const used = sandbox(9, { base: snapshotId(1) });
  expect(() => planRemoval(snapshot(1), { ...all, sandboxes: [member, used] }, {})).toThrow(used.id);
});
