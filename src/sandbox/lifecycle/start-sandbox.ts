import { errorText, KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import { planIdentity, renewGuest } from "../guest/renew-identity.ts";
import { openGuestSession } from "../guest/session.ts";
import type { Accelerator, MachineShape, MachineStart, VirtualMachine } from "../hypervisor.ts";
import { newDiskLayerId, newSandboxId, type ObjectName, type SandboxId, type SnapshotId } from "../ids.ts";
import { prepareGuestKernel } from "../image/guest-kernel.ts";
import { ensureBlockServer } from "../lazy/block-server.ts";
import { cpuCount, diskBytes, maxForkCount, memoryMiB } from "../limits.ts";
import { checkMemoryFiles, ensureMemoryImage, ensureZeroMemory } from "../memory/cache.ts";
import { ensureSidecar } from "../network/sidecar-client.ts";
import { checkDiskLayer, createDiskLayer, diskLayerFiles, removeDiskLayer } from "../store/disk-layers.ts";
import { type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import type { DiskLayerRef, ImageRecord, SandboxRecord } from "../store/records.ts";
import { saveSandboxRecord } from "../store/sandbox-store.ts";
import {
  checkSnapshotDisk,
  claimName,
  findSnapshot,
  mustBeReady,
  openChain,
  type ReadySnapshot,
  readDeviceState,
  releaseName,
} from "../store/snapshot-store.ts";
import { takeFromPool } from "./pool.ts";

export interface StartOptions {
  readonly name?: ObjectName;
  readonly env?: Readonly<Record<string, string>>;
  /** Time to live: the machine is killed after it. */
  readonly lifetimeMs?: number;
  /** What the guest may reach; nothing by default. */
  readonly network?: NonNullable<SandboxRecord["network"]>;
  /** Stopped when nobody has used it for so long. */
  readonly idleMs?: number;
}

export interface BootOptions extends StartOptions {
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly diskBytes: number;
  readonly accelerator: Accelerator;
  /** Nothing that it writes is anybody's work. */
  readonly scratch?: true;
}

export interface StartedSandbox {
  readonly record: SandboxRecord;
  /** What the guest could not renew of its identity. */
  readonly problems: readonly string[];
  /** From the request to the guest's acknowledgement that it has its own identity. */
  readonly readyMs: number;
}

// bounds for guests that hang: an emulated one on a busy machine may get a tenth of a processor
const bootTimeoutMs = 120_000;
const emulatedBootTimeoutMs = 600_000;

/** Starts a machine from an image and waits until its guest answers. */
export async function bootSandbox(
  context: SandboxContext,
  image: ImageRecord,
  options: BootOptions,
): Promise<StartedSandbox> {
  const shape = planShape(options);
  const layer: DiskLayerRef = { id: image.layer, kind: "raw" };
  await checkDiskLayer(context, layer);
  const kernel = await prepareGuestKernel(context, context.home.folder("kernels"));
  return startSandbox(context, {
    ...options,
    shape,
    image: image.name,
    generation: 1,
    below: [layer],
    start: { kind: "boot", kernelPath: kernel.kernelPath, initrdPath: kernel.initrdPath },
  });
}

/** @throws KeyframeError `invalid-input` beyond the limits */
export function planShape(options: BootOptions): MachineShape {
  mustBeWithin("memory, MiB,", options.memoryMiB, memoryMiB);
  mustBeWithin("number of processors", options.cpus, cpuCount);
  mustBeWithin("disk, bytes,", options.diskBytes, diskBytes);
  return {
    memoryMiB: options.memoryMiB,
    cpus: options.cpus,
    diskBytes: Math.ceil(options.diskBytes / 65536) * 65536,
    accelerator: options.accelerator,
    machine: "microvm",
    processor: options.accelerator === "tcg" ? "max" : "host",
  };
}

function mustBeWithin(
  what: string,
  value: number,
  range: { readonly least: number; readonly most: number },
): void {
  if (Number.isSafeInteger(value) && value >= range.least && value <= range.most) return;
  throw new KeyframeError(
    "invalid-input",
    `the ${what} must be from ${range.least} to ${range.most}: ${value}`,
  );
}

export interface ForkOptions extends StartOptions {
  readonly count: number;
  /** Take machines that are kept ready for the snapshot (pool.ts) while there are any; true by default. */
  readonly pool?: boolean;
}

export type ForkResult =
  | { readonly ok: true; readonly sandbox: StartedSandbox }
  | { readonly ok: false; readonly error: unknown };

/**
 * Starts `count` machines from one snapshot: each maps its memory privately, has a disk layer of its own and its own
 * identity. One result per child: a child that fails does not stop the others.
 */
export async function forkSnapshot(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  options: ForkOptions,
): Promise<readonly ForkResult[]> {
  if (!Number.isSafeInteger(options.count) || options.count < 1 || options.count > maxForkCount) {
    throw new KeyframeError(
      "invalid-input",
      `the number of children must be from 1 to ${maxForkCount}: ${options.count}`,
    );
  }
  const planRestored = once(() => planFromSnapshot(context, snapshot));
  const start = async (index: number): Promise<StartedSandbox> => {
    const startedAtMs = context.clock.monotonicMs();
    const { env = {}, lifetimeMs, network, idleMs } = options;
    const name = childName(options.name, index, options.count);
    // what is kept ready has no network and no process beside it
    if (options.pool !== false && network === undefined && idleMs === undefined) {
      const taken = await takeFromPool(context, snapshot.id, {
        ...name,
        env,
        ...(lifetimeMs === undefined ? {} : { expiresAtMs: context.clock.nowMs() + lifetimeMs }),
      });
      if (taken !== undefined) return { ...taken, readyMs: context.clock.monotonicMs() - startedAtMs };
    }
    return startSandbox(context, {
      ...(await planRestored()),
      ...name,
      env,
      ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
      ...(network === undefined ? {} : { network }),
      ...(idleMs === undefined ? {} : { idleMs }),
    });
  };
  const results: ForkResult[] = [];
  let next = 0;
  const worker = async () => {
    for (;;) {
      const index = next;
      next += 1;
      if (index >= options.count) return;
      results[index] = await start(index).then(
        (sandbox): ForkResult => ({ ok: true, sandbox }),
        (error: unknown): ForkResult => ({ ok: false, error }),
      );
    }
  };
  // more at once than cores makes each later and none earlier
  await Promise.all(Array.from({ length: Math.min(context.cores, options.count) }, worker));
  return results;
}

function childName(name: ObjectName | undefined, index: number, count: number): { name?: ObjectName } {
  if (name === undefined) return {};
  return { name: count === 1 ? name : (`${name}-${index + 1}` as ObjectName) };
}

/** What every machine from a snapshot starts with, after all that it is made of has been checked. */
export async function planFromSnapshot(
  context: SandboxContext,
  snapshot: ReadySnapshot,
): Promise<SandboxPlan> {
  const remote = openChain(context, snapshot).findLast((link) => link.remote !== undefined);
  await checkSnapshotDisk(context, snapshot);
  checkMemoryFiles(context, snapshot);
  return {
    shape: snapshot.shape,
    ...(remote === undefined ? {} : { remote }),
    ...(snapshot.image === undefined ? {} : { image: snapshot.image }),
    base: snapshot,
    generation: snapshot.generation + 1,
    below: snapshot.disk,
    start: {
      kind: "restore",
      deviceState: readDeviceState(context, snapshot),
      hypervisor: snapshot.hypervisor,
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export interface SandboxPlan extends StartOptions {
  /** The sandbox continues under this id; a new one by default. */
  readonly id?: SandboxId;
  readonly shape: MachineShape;
  readonly image?: ObjectName;
  /** Its memory image is what the machine maps. */
  readonly base?: ReadySnapshot;
  /** The snapshot of the base's chain whose data has to be shown by a block server. */
  readonly remote?: ReadySnapshot;
  readonly generation: number;
  /** What the sandbox that continues here was stopped with: kept until it runs. */
  readonly suspended?: SnapshotId;
  /** It only reads: nothing that it writes is anybody's work. */
  readonly scratch?: true;
  /** Disk layers under the new top. */
  readonly below: readonly DiskLayerRef[];
  readonly start: MachineStart;
  /** The last step, when the guest has its identity: answers what is recorded. */
  readonly settle?: (machine: VirtualMachine, running: SandboxRecord) => Promise<SandboxRecord>;
}

/**
 * Records first what the sandbox will use, so that nothing of it is collected; then starts the machine. On failure
 * nothing is left: no process, no files, no name.
 */
export async function startSandbox(context: SandboxContext, plan: SandboxPlan): Promise<StartedSandbox> {
  const startedAtMs = context.clock.monotonicMs();
  const id = plan.id ?? newSandboxId(context.random);
  const folder = context.home.sandboxFolder(id);
  const isNew = plan.id === undefined;
  let machine: VirtualMachine | undefined;
  let layer: DiskLayerRef | undefined;
  try {
    const starting = await recordStart(context, id, plan);
    layer = starting.disk[0];
    fault("start:after-record");
    // after the record, which keeps server and image: QEMU would make a missing image, of zeros
    const { base, remote } = plan;
    const served =
      remote === undefined ? undefined : { id: remote.id, ...(await ensureBlockServer(context, remote)) };
    const memory =
      base === undefined
        ? await ensureZeroMemory(context, plan.shape.memoryMiB)
        : await ensureMemoryImage(context, base, served);
    machine = await context.hypervisor.start({
      shape: plan.shape,
      folder,
      memoryPath: memory,
      disk: diskLayerFiles(context, starting.disk, served),
      start: plan.start,
      ...(plan.lifetimeMs === undefined ? {} : { lifetimeMs: plan.lifetimeMs }),
    });
    const { process, memoryPath } = machine.address;
    const { starter: _starter, continues: _continues, suspended: _suspended, ...rest } = starting;
    const running: SandboxRecord = { ...rest, status: "running", machine: { process, memoryPath } };
    fault("start:after-machine");
    const identity = planIdentity(context, running);
    const restored = machine;
    const session = await openGuestSession(context, running, {
      timeoutMs: running.shape.accelerator === "tcg" ? emulatedBootTimeoutMs : bootTimeoutMs,
      ...(plan.start.kind === "restore"
        ? { identity: identity.guest, onSpoken: () => restored.resume() }
        : {}),
    });
    const problems: string[] = [];
    try {
      problems.push(...(await renewGuest(session.guest, identity, running.generation)));
    } finally {
      await session.close();
    }
    const record = (await plan.settle?.(machine, running)) ?? running;
    saveSandboxRecord(context, record);
    machine.detach();
    // it runs: what the process beside it cannot do is a problem of the sandbox, not its end
    await ensureSidecar(context, record).catch((error: unknown) => problems.push(errorText(error)));
    return { record, problems, readyMs: context.clock.monotonicMs() - startedAtMs };
  } catch (error) {
    await machine?.kill();
    if (layer !== undefined && isNew) removeDiskLayer(context, layer.id);
    if (isNew) {
      context.files.removeTree(folder);
      if (plan.name !== undefined) releaseName(context, "sandbox", plan.name, id);
    }
    throw error;
  }
}

/** Under the snapshots' lock: the base is not removed between the look and the reference, nor the name's claim. */
async function recordStart(
  context: SandboxContext,
  id: SandboxId,
  plan: SandboxPlan,
): Promise<SandboxRecord> {
  return withLock(context, snapshotsLock, async () => {
    if (plan.id === undefined && plan.name !== undefined) claimName(context, "sandbox", plan.name, id);
    if (plan.base !== undefined) mustBeReady(context, findSnapshot(context, plan.base.id));
    const layer: DiskLayerRef = { id: newDiskLayerId(context.random), kind: "qcow2" };
    const starting: SandboxRecord = {
      format: 1,
      id,
      ...(plan.name === undefined ? {} : { name: plan.name }),
      createdAtMs: context.clock.nowMs(),
      ...(plan.image === undefined ? {} : { image: plan.image }),
      ...(plan.base === undefined ? {} : { base: plan.base.id }),
      status: "starting",
      starter: context.processTable.self(),
      ...(plan.id === undefined ? {} : { continues: true as const }),
      ...(plan.suspended === undefined ? {} : { suspended: plan.suspended }),
      ...(plan.scratch === undefined ? {} : { scratch: plan.scratch }),
      shape: plan.shape,
      generation: plan.generation,
      env: { ...plan.env },
      ...(plan.network === undefined ? {} : { network: plan.network }),
      ...(plan.idleMs === undefined ? {} : { idleMs: plan.idleMs }),
      disk: [layer, ...plan.below.map(({ id: below, kind }) => ({ id: below, kind }))],
      ...(plan.lifetimeMs === undefined ? {} : { expiresAtMs: context.clock.nowMs() + plan.lifetimeMs }),
    };
    context.files.makeFolder(context.home.sandboxFolder(id), { mode: 0o700 });
    saveSandboxRecord(context, starting);
    createDiskLayer(context, layer, plan.below, plan.shape.diskBytes);
    return starting;
  });
}
