import { errorText, KeyframeError } from "../base/errors.ts";
import { fault } from "../system/fault.ts";
import { checkDiskLayer, createDiskLayer, diskLayerFiles, removeDiskLayer } from "./disk-layers.ts";
import { prepareGuestKernel } from "./guest-kernel.ts";
import { openGuestSession } from "./guest-session.ts";
import { type SandboxWorld, snapshotsLock, withLock } from "./home.ts";
import type { Accelerator, Machine, MachineShape, MachineStart } from "./hypervisor.ts";
import { newDiskLayerId, newSandboxId, type ObjectName, type SandboxId } from "./ids.ts";
import { ensureKeeper } from "./keeper-client.ts";
import { cpuCount, diskBytes, maxForkCount, memoryMiB } from "./limits.ts";
import { ensureMemoryImage, ensureZeroMemory } from "./memory-cache.ts";
import type { ImageRecord, LayerRef, SandboxRecord } from "./records.ts";
import { renewGuest } from "./renew-guest.ts";
import { saveSandboxRecord } from "./sandbox-store.ts";
import {
  checkSnapshotDisk,
  claimName,
  findSnapshot,
  mustBeReady,
  openChain,
  type ReadySnapshot,
  readDeviceState,
  releaseName,
} from "./snapshot-store.ts";

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
}

export interface StartedSandbox {
  readonly record: SandboxRecord;
  /** What the guest could not renew of its identity. */
  readonly problems: readonly string[];
  /** From the request to the guest's acknowledgement that it has its own identity. */
  readonly readyMs: number;
}

const bootTimeoutMs = 120_000;

/** Starts a machine from an image and waits until its guest answers. */
export async function bootSandbox(
  world: SandboxWorld,
  image: ImageRecord,
  options: BootOptions,
): Promise<StartedSandbox> {
  const shape = planShape(options);
  const layer: LayerRef = { id: image.layer, kind: "raw" };
  await checkDiskLayer(world, layer);
  const kernel = await prepareGuestKernel(world, world.home.folder("kernels"));
  return startSandbox(world, {
    ...options,
    shape,
    image: image.name,
    generation: 1,
    below: [layer],
    start: { kind: "boot", kernelPath: kernel.kernelPath, initrdPath: kernel.initrdPath },
  });
}

function planShape(options: BootOptions): MachineShape {
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

export type ForkResult =
  | { readonly ok: true; readonly sandbox: StartedSandbox }
  | { readonly ok: false; readonly error: unknown };

/**
 * Starts `count` machines from one snapshot: each maps its memory privately, has a disk layer of its own and its own
 * identity. One result per child: a child that fails does not stop the others.
 */
export async function forkSnapshot(
  world: SandboxWorld,
  snapshot: ReadySnapshot,
  options: StartOptions & { readonly count: number },
): Promise<readonly ForkResult[]> {
  if (!Number.isSafeInteger(options.count) || options.count < 1 || options.count > maxForkCount) {
    throw new KeyframeError(
      "invalid-input",
      `the number of children must be from 1 to ${maxForkCount}: ${options.count}`,
    );
  }
  openChain(world, snapshot);
  await checkSnapshotDisk(world, snapshot);
  const deviceState = readDeviceState(world, snapshot);
  const start: MachineStart = { kind: "restore", deviceState, hypervisor: snapshot.hypervisor };
  const results: ForkResult[] = [];
  let next = 0;
  const worker = async () => {
    for (;;) {
      const index = next;
      next += 1;
      if (index >= options.count) return;
      results[index] = await startSandbox(world, {
        ...(options.env === undefined ? {} : { env: options.env }),
        ...(options.lifetimeMs === undefined ? {} : { lifetimeMs: options.lifetimeMs }),
        ...(options.network === undefined ? {} : { network: options.network }),
        ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
        ...childName(options.name, index, options.count),
        shape: snapshot.shape,
        ...(snapshot.image === undefined ? {} : { image: snapshot.image }),
        base: snapshot,
        generation: snapshot.generation + 1,
        below: snapshot.disk,
        start,
      }).then(
        (sandbox): ForkResult => ({ ok: true, sandbox }),
        (error: unknown): ForkResult => ({ ok: false, error }),
      );
    }
  };
  // more at once than cores makes each later and none earlier
  await Promise.all(Array.from({ length: Math.min(world.cores, options.count) }, worker));
  return results;
}

function childName(name: ObjectName | undefined, index: number, count: number): { name?: ObjectName } {
  if (name === undefined) return {};
  return { name: count === 1 ? name : (`${name}-${index + 1}` as ObjectName) };
}

export interface SandboxPlan extends StartOptions {
  /** The sandbox continues under this id; a new one by default. */
  readonly id?: SandboxId;
  readonly shape: MachineShape;
  readonly image?: ObjectName;
  /** Its memory image is what the machine maps. */
  readonly base?: ReadySnapshot;
  readonly generation: number;
  /** Disk layers under the new top. */
  readonly below: readonly LayerRef[];
  readonly start: MachineStart;
}

/**
 * Records first what the sandbox will use, so that nothing of it is collected; then starts the machine. On failure
 * nothing is left: no process, no files, no name.
 */
export async function startSandbox(world: SandboxWorld, plan: SandboxPlan): Promise<StartedSandbox> {
  const startedAtMs = world.clock.monotonicMs();
  const id = plan.id ?? newSandboxId(world.random);
  const folder = world.home.sandboxFolder(id);
  const isNew = plan.id === undefined;
  let machine: Machine | undefined;
  let layer: LayerRef | undefined;
  try {
    const starting = await recordStart(world, id, plan);
    layer = starting.disk[0];
    fault("start:after-record");
    // after the record, which keeps the image from being collected: QEMU would make a missing one, of zeros
    const memory =
      plan.base === undefined
        ? await ensureZeroMemory(world, plan.shape.memoryMiB)
        : await ensureMemoryImage(world, plan.base);
    machine = await world.hypervisor.start({
      shape: plan.shape,
      folder,
      memoryPath: memory,
      disk: diskLayerFiles(world, starting.disk),
      start: plan.start,
      ...(plan.lifetimeMs === undefined ? {} : { lifetimeMs: plan.lifetimeMs }),
    });
    const { process, memoryPath } = machine.address;
    const { starter: _starter, ...rest } = starting;
    const running: SandboxRecord = { ...rest, status: "running", machine: { process, memoryPath } };
    fault("start:after-machine");
    const session = await openGuestSession(world, running, { timeoutMs: bootTimeoutMs });
    const problems: string[] = [];
    try {
      problems.push(...(await renewGuest(world, session.guest, running)));
      saveSandboxRecord(world, running);
      machine.detach();
    } finally {
      await session.close();
    }
    // it runs: what the process beside it cannot do is a problem of the sandbox, not its end
    await ensureKeeper(world, running).catch((error: unknown) => problems.push(errorText(error)));
    return { record: running, problems, readyMs: world.clock.monotonicMs() - startedAtMs };
  } catch (error) {
    await machine?.kill();
    if (layer !== undefined && isNew) removeDiskLayer(world, layer.id);
    if (isNew) {
      world.files.removeTree(folder);
      if (plan.name !== undefined) releaseName(world, "sandbox", plan.name, id);
    }
    throw error;
  }
}

/** Under the snapshots' lock: the base is not removed between the look and the reference, nor the name's claim. */
async function recordStart(world: SandboxWorld, id: SandboxId, plan: SandboxPlan): Promise<SandboxRecord> {
  return withLock(world, snapshotsLock, async () => {
    if (plan.id === undefined && plan.name !== undefined) claimName(world, "sandbox", plan.name, id);
    if (plan.base !== undefined) mustBeReady(world, findSnapshot(world, plan.base.id));
    const layer: LayerRef = { id: newDiskLayerId(world.random), kind: "qcow2" };
    const starting: SandboxRecord = {
      format: 1,
      id,
      ...(plan.name === undefined ? {} : { name: plan.name }),
      createdAtMs: world.clock.nowMs(),
      ...(plan.image === undefined ? {} : { image: plan.image }),
      ...(plan.base === undefined ? {} : { base: plan.base.id }),
      status: "starting",
      starter: world.processTable.self(),
      shape: plan.shape,
      generation: plan.generation,
      env: { ...plan.env },
      ...(plan.network === undefined ? {} : { network: plan.network }),
      ...(plan.idleMs === undefined ? {} : { idleMs: plan.idleMs }),
      disk: [layer, ...plan.below.map(({ id: below, kind }) => ({ id: below, kind }))],
      ...(plan.lifetimeMs === undefined ? {} : { expiresAtMs: world.clock.nowMs() + plan.lifetimeMs }),
    };
    world.files.makeFolder(world.home.sandboxFolder(id), { mode: 0o700 });
    saveSandboxRecord(world, starting);
    createDiskLayer(world, layer, plan.below, plan.shape.diskBytes);
    return starting;
  });
}
