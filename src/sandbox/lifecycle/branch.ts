import { sha256Hex } from "../../base/digest.ts";
import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import { type DataFile, openDataFile } from "../../system/files/data-file.ts";
import { toFileError } from "../../system/files/files.ts";
import type { MemoryMapping } from "../../system/process/process-memory.ts";
import { nextTurn } from "../../system/turn.ts";
import type { DiskLayerFile, VirtualMachine } from "../hypervisor.ts";
import { newDiskLayerId, newSnapshotId, type ObjectName, type SandboxId, type SnapshotId } from "../ids.ts";
import { maxPauseMs } from "../limits.ts";
import {
  capturedPages,
  memoryDiffSizeBytes,
  type WrittenDiff,
  writeMemoryDiff,
} from "../memory/diff-file.ts";
import { roomFor, warmPageBuffer } from "../memory/page-buffer.ts";
import { countPages, type PageRun, pageBytes, parsePrivatePages } from "../memory/page-runs.ts";
import { preallocate } from "../memory/preallocate.ts";
import { startResumeWatchdog } from "../qemu/resume-watchdog.ts";
import { createDiskLayer, freezeDiskLayer, layersFrom, removeDiskLayer } from "../store/disk-layers.ts";
import { lockInHome, type SandboxContext, snapshotsLock, withLock } from "../store/home.ts";
import type { DiskLayerRef, SandboxRecord, SnapshotRecord } from "../store/records.ts";
import { attachMachine, findSandbox, saveSandboxRecord } from "../store/sandbox-store.ts";
import {
  claimName,
  findSnapshot,
  mustBeReady,
  type ReadySnapshot,
  releaseName,
  saveSnapshotRecord,
  sealOf,
  snapshotFiles,
} from "../store/snapshot-store.ts";

export interface BranchOptions {
  readonly name?: ObjectName;
  /** The guest stays stopped when all is saved, and its machine is ended: for `stop`. */
  readonly suspend?: boolean;
  /** Reserve the space of the file before the pause, so that a full disk is found in time; true by default. */
  readonly reserve?: boolean;
}

/** A snapshot that is being written. The guest runs again. */
export interface WritingSnapshot {
  readonly id: SnapshotId;
  readonly pause: NonNullable<SnapshotRecord["pause"]>;
  /** Settles when the snapshot is durable; rejects, and nothing of the snapshot is left, if it cannot be. */
  readonly durable: Promise<ReadySnapshot>;
}

/**
 * Saves a running machine: memory, devices and disk of one instant. The guest is stopped for a few milliseconds;
 * while it is, nothing is written to a disk, waited for or allocated. Resolves when it runs again. Whatever fails, it
 * runs again: on errors here, by a watchdog process if this one dies or hangs.
 */
export async function branchSandbox(
  context: SandboxContext,
  sandboxId: SandboxId,
  options: BranchOptions = {},
): Promise<WritingSnapshot> {
  const lock = await lockInHome(context, `sandbox-${sandboxId}`);
  try {
    const record = findSandbox(context, sandboxId);
    const machine = await attachMachine(context, record);
    try {
      const prepared = await prepareBranch(context, record, machine, options);
      const captured = await captureOrUndo(context, machine, prepared, options);
      const durable = (async () => {
        try {
          return await finishBranch(context, prepared, captured);
        } finally {
          await lock.release();
        }
      })();
      durable.catch(() => undefined); // the caller may look later, or never
      return { id: prepared.snapshot.id, pause: captured.pause, durable };
    } finally {
      machine.detach();
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface PreparedBranch {
  readonly sandbox: SandboxRecord;
  readonly snapshot: SnapshotRecord;
  /** The disk as the machine has it before the switch, top first. */
  readonly disk: readonly DiskLayerRef[];
  readonly newTop: DiskLayerRef;
  readonly mapping: MemoryMapping;
  /** What the machine has mapped: the parent's image, or zeros. */
  readonly memoryPath: string;
  readonly memoryFile: DataFile;
  readonly buffer: Buffer;
  readonly pageMap: Buffer;
}

interface CapturedMachine {
  readonly runs: readonly PageRun[];
  readonly bytes: Buffer;
  readonly deviceState: Buffer;
  readonly pause: NonNullable<SnapshotRecord["pause"]>;
}

/** Everything that can be done while the guest runs. Undoes itself on failure. */
async function prepareBranch(
  context: SandboxContext,
  sandbox: SandboxRecord,
  machine: VirtualMachine,
  options: BranchOptions,
): Promise<PreparedBranch> {
  const { memoryPath, process } = machine.address;
  const { pid } = process;
  const id = newSnapshotId(context.random);
  const mapping = context.processMemory.findMapping(pid, memoryPath);
  if (mapping === undefined) {
    throw new KeyframeError("hypervisor-failed", `the machine has not mapped ${memoryPath}`);
  }
  const parent =
    sandbox.base === undefined ? undefined : mustBeReady(context, findSnapshot(context, sandbox.base));
  const disk = layersFrom(sandbox.disk, await machine.topDiskLayer());
  const newTop: DiskLayerRef = { id: newDiskLayerId(context.random), kind: "qcow2" };
  const snapshot: SnapshotRecord = {
    format: 1,
    id,
    ...(options.name === undefined ? {} : { name: options.name }),
    state: "writing",
    writer: context.processTable.self(),
    ...(options.suspend === true ? { suspendOf: sandbox.id } : {}),
    createdAtMs: context.clock.nowMs(),
    sandbox: sandbox.id,
    ...(sandbox.image === undefined ? {} : { image: sandbox.image }),
    ...(parent === undefined ? {} : { parent: { id: parent.id, seal: parent.seal } }),
    shape: sandbox.shape,
    generation: sandbox.generation,
    hypervisor: await machine.version(),
    disk: [],
  };
  const { folder, memory } = snapshotFiles(context, id);
  let memoryFile: DataFile | undefined;
  try {
    await withLock(context, snapshotsLock, async () => {
      if (options.name !== undefined) claimName(context, "snapshot", options.name, id);
      context.files.makeFolder(folder, { mode: 0o700 });
      saveSnapshotRecord(context, snapshot);
    });
    // what the machine will use is recorded before it does
    saveSandboxRecord(context, { ...sandbox, disk: [newTop, ...disk] });
    fault("branch:after-intent");
    createDiskLayer(context, newTop, disk, sandbox.shape.diskBytes);
    const pageMap = Buffer.alloc((mapping.sizeBytes / pageBytes) * 8);
    context.processMemory.readPageMap(pid, mapping, pageMap);
    const runs = parsePrivatePages(pageMap);
    memoryFile = openDataFile(memory, "create");
    injected("branch:preallocate", memory);
    if (options.reserve !== false) {
      preallocate(memoryFile, memory, memoryDiffSizeBytes(runs), context.warn);
    }
    const buffer = warmPageBuffer(runs);
    await machine.prepareDiskLayer(layerFile(context, newTop));
    fault("branch:after-prepare");
    return { sandbox, snapshot, disk, newTop, mapping, memoryPath, memoryFile, buffer, pageMap };
  } catch (error) {
    memoryFile?.close();
    removeSnapshotFiles(context, snapshot);
    saveSandboxRecord(context, { ...sandbox, disk: [...disk] });
    removeDiskLayer(context, newTop.id);
    throw error;
  }
}

async function captureOrUndo(
  context: SandboxContext,
  machine: VirtualMachine,
  prepared: PreparedBranch,
  options: BranchOptions,
): Promise<CapturedMachine> {
  try {
    return await capture(context, machine, prepared, options.suspend === true);
  } catch (error) {
    prepared.memoryFile.close();
    removeSnapshotFiles(context, prepared.snapshot);
    // The layer may be in use: the machine knows. If it is not, both go; if it is, it stays in the record.
    const top = await machine.topDiskLayer().catch(() => undefined); // it has ended: its record goes with it
    if (top !== undefined && top !== prepared.newTop.id) {
      await machine.dropDiskLayer(layerFile(context, prepared.newTop)).catch(() => undefined); // it goes with the machine otherwise
      removeDiskLayer(context, prepared.newTop.id);
      saveSandboxRecord(context, { ...prepared.sandbox, disk: [...prepared.disk] });
    }
    throw error;
  }
}

/** The pause. */
async function capture(
  context: SandboxContext,
  machine: VirtualMachine,
  prepared: PreparedBranch,
  suspend: boolean,
): Promise<CapturedMachine> {
  const { clock, processMemory } = context;
  const { pid } = machine.address.process;
  const watchdog = await startResumeWatchdog(context, machine.address.folder);
  let stays = false;
  const startMs = clock.monotonicMs();
  try {
    watchdog.arm();
    await machine.pause();
    const pausedMs = clock.monotonicMs();
    injected("branch:paused", machine.address.folder);
    await machine.switchDiskLayer(layerFile(context, prepared.newTop));
    const diskMs = clock.monotonicMs();
    injected("branch:after-disk", machine.address.folder);
    const { deviceState } = await machine.saveDeviceState();
    const deviceMs = clock.monotonicMs();
    processMemory.readPageMap(pid, prepared.mapping, prepared.pageMap);
    const runs = parsePrivatePages(prepared.pageMap);
    const scanMs = clock.monotonicMs();
    const bytes = roomFor(prepared.buffer, runs);
    processMemory.read(
      pid,
      runs.map((run) => ({
        address: prepared.mapping.address + BigInt(run.firstPage * pageBytes),
        sizeBytes: run.pageCount * pageBytes,
      })),
      bytes,
    );
    injected("branch:after-copy", machine.address.folder);
    const copyMs = clock.monotonicMs();
    // a watchdog that had to step in has let the guest run on: then this is not one instant
    if (copyMs - startMs > maxPauseMs || (await machine.isRunning())) {
      throw new KeyframeError(
        "timed-out",
        "the guest could not be saved within the time that it may be stopped",
        {
          hint: "it runs on; try again when the machine has less to do",
        },
      );
    }
    stays = suspend;
    if (!suspend) await machine.resume();
    return {
      runs,
      bytes,
      deviceState,
      pause: {
        totalMs: clock.monotonicMs() - startMs,
        diskMs: diskMs - pausedMs,
        deviceMs: deviceMs - diskMs,
        scanMs: scanMs - deviceMs,
        copyMs: copyMs - scanMs,
        pages: countPages(runs),
      },
    };
  } catch (error) {
    await machine.resume().catch(() => undefined); // the watchdog's turn: it has a monitor of its own
    throw error;
  } finally {
    if (stays || (await machine.isRunning().catch(() => false))) watchdog.dismiss();
  }
}

/** After the pause: digests, files, then the record that makes the snapshot exist. */
async function finishBranch(
  context: SandboxContext,
  prepared: PreparedBranch,
  captured: CapturedMachine,
): Promise<ReadySnapshot> {
  const { snapshot, memoryFile, sandbox } = prepared;
  const files = snapshotFiles(context, snapshot.id);
  try {
    // let whoever waits for the guest go on before this process computes
    await nextTurn();
    injected("branch:write-memory", files.memory);
    const base = sandbox.base === undefined ? undefined : openDataFile(prepared.memoryPath, "read");
    const memoryBytes = sandbox.shape.memoryMiB * 1024 * 1024;
    let written: WrittenDiff;
    try {
      written = await writeMemoryDiff(memoryFile, capturedPages(captured.runs, captured.bytes), {
        memoryBytes,
        base,
      });
    } finally {
      base?.close();
    }
    injected("branch:write-device-state", files.deviceState);
    context.files.replace(files.deviceState, captured.deviceState, { mode: 0o600 });
    injected("branch:freeze-disk", files.folder);
    const disk: SnapshotRecord["disk"] = [];
    for (const layer of prepared.disk)
      disk.push({ ...layer, sha256: (await freezeDiskLayer(context, layer)).sha256 });
    const { writer: _writer, ...rest } = snapshot;
    const complete = {
      ...rest,
      state: "ready" as const,
      memory: { memoryBytes, ...written },
      deviceState: { sizeBytes: captured.deviceState.length, sha256: sha256Hex(captured.deviceState) },
      disk,
      pause: captured.pause,
    };
    const ready: ReadySnapshot = { ...complete, seal: sealOf(complete) };
    injected("branch:publish", files.record);
    saveSnapshotRecord(context, ready);
    fault("branch:after-publish");
    return ready;
  } catch (error) {
    removeSnapshotFiles(context, snapshot);
    throw error;
  } finally {
    memoryFile.close();
  }
}

function removeSnapshotFiles(context: SandboxContext, snapshot: SnapshotRecord): void {
  context.files.removeTree(snapshotFiles(context, snapshot.id).folder);
  if (snapshot.name !== undefined) releaseName(context, "snapshot", snapshot.name, snapshot.id);
}

function layerFile(context: SandboxContext, layer: DiskLayerRef): DiskLayerFile {
  return { path: context.home.diskLayer(layer.id, layer.kind), format: layer.kind };
}

/** A fault point whose injected errno reads like the file system's own. */
function injected(point: string, path: string): void {
  try {
    fault(point);
  } catch (error) {
    throw toFileError(error, path, "write");
  }
}
