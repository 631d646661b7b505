import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { ProcessIdentity } from "../../system/process/process-table.ts";
import { machineFiles } from "../qemu/qemu-arguments.ts";
import { type SandboxWorld, withLock } from "../store/home.ts";
import { readSandboxRecord, type SandboxRecord } from "../store/records.ts";
import { sandboxRecordPath, sandboxState } from "../store/sandbox-store.ts";
import { releaseName } from "../store/snapshot-store.ts";

/** Ends the machine if it runs and removes the sandbox's folder and name. Its disk layers are left to `gc`. */
export async function eraseSandbox(world: SandboxWorld, record: SandboxRecord): Promise<void> {
  await withLock(world, `sandbox-${record.id}`, async () => {
    if (sandboxState(world, record) === "starting") {
      throw new KeyframeError("not-ready", `sandbox ${record.name ?? record.id} is still starting`);
    }
    const now = readSandboxRecord(world.files, sandboxRecordPath(world, record.id));
    if (record.status === "pooled" && now !== undefined && now.status !== "pooled") {
      throw new KeyframeError("in-use", `sandbox ${record.id} has just been taken from its pool`);
    }
    await endMachine(world, record);
    world.files.removeTree(world.home.sandboxFolder(record.id));
    if (record.name !== undefined) releaseName(world, "sandbox", record.name, record.id);
  });
  removeLocks(world, record);
}

/** Nobody looks for them any more: the sandbox's record is gone. */
function removeLocks(world: SandboxWorld, record: SandboxRecord): void {
  const folder = world.home.folder("locks");
  for (const { name } of world.files.listIfExists(folder) ?? [])
    if (name.includes(record.id)) world.files.removeTree(join(folder, name));
}

async function endMachine(world: SandboxWorld, record: SandboxRecord): Promise<void> {
  const identity = record.machine?.process ?? strayMachine(world, record);
  if (identity === undefined || !world.processTable.signal(identity, "SIGKILL")) return;
  while (world.processTable.isRunning(identity)) await world.clock.sleep(3);
}

/** The machine of a start that was abandoned before it was recorded: its pid file names it, its command line proves it. */
function strayMachine(world: SandboxWorld, record: SandboxRecord): ProcessIdentity | undefined {
  const folder = world.home.sandboxFolder(record.id);
  const pid = Number(
    world.files.readIfExists(`${folder}/${machineFiles.pid}`)?.toString("latin1") ?? Number.NaN,
  );
  if (!Number.isSafeInteger(pid)) return undefined;
  const commandLine = world.files.readIfExists(`/proc/${pid}/cmdline`)?.toString("latin1") ?? "";
  return commandLine.includes(`${folder}/`) ? world.processTable.identify(pid) : undefined;
}
