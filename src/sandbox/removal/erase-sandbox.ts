import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { ProcessIdentity } from "../../system/process/process-table.ts";
import { machineFiles } from "../qemu/qemu-arguments.ts";
import { type SandboxContext, withLock } from "../store/home.ts";
import { readSandboxRecord, type SandboxRecord } from "../store/records.ts";
import { sandboxRecordPath, sandboxState } from "../store/sandbox-store.ts";
import { releaseName } from "../store/snapshot-store.ts";

/** Ends the machine if it runs and removes the sandbox's directory and name. Its disk layers are left to `gc`. */
export async function eraseSandbox(context: SandboxContext, record: SandboxRecord): Promise<void> {
  await withLock(context, `sandbox-${record.id}`, async () => {
    if (sandboxState(context, record) === "starting") {
      throw new KeyframeError("not-ready", `sandbox ${record.name ?? record.id} is still starting`);
    }
    const now = readSandboxRecord(context.files, sandboxRecordPath(context, record.id));
    if (record.status === "pooled" && now !== undefined && now.status !== "pooled") {
      throw new KeyframeError("in-use", `sandbox ${record.id} has just been taken from its pool`);
    }
    await endMachine(context, record);
    context.files.removeTree(context.home.sandboxFolder(record.id));
    if (record.name !== undefined) releaseName(context, "sandbox", record.name, record.id);
  });
  removeLocks(context, record);
}

/** Nobody looks for them any more: the sandbox's record is gone. */
function removeLocks(context: SandboxContext, record: SandboxRecord): void {
  const folder = context.home.folder("locks");
  for (const { name } of context.files.listIfExists(folder) ?? [])
    if (name.includes(record.id)) context.files.removeTree(join(folder, name));
}

async function endMachine(context: SandboxContext, record: SandboxRecord): Promise<void> {
  const identity = record.machine?.process ?? strayMachine(context, record);
  if (identity === undefined || !context.processTable.signal(identity, "SIGKILL")) return;
  while (context.processTable.isRunning(identity)) await context.clock.sleep(3);
}

/** The machine of a start that was abandoned before it was recorded: its pid file names it, its command line proves it. */
function strayMachine(context: SandboxContext, record: SandboxRecord): ProcessIdentity | undefined {
  const folder = context.home.sandboxFolder(record.id);
  const pid = Number(
    context.files.readIfExists(`${folder}/${machineFiles.pid}`)?.toString("latin1") ?? Number.NaN,
  );
  if (!Number.isSafeInteger(pid)) return undefined;
  const commandLine = context.files.readIfExists(`/proc/${pid}/cmdline`)?.toString("latin1") ?? "";
  return commandLine.includes(`${folder}/`) ? context.processTable.identify(pid) : undefined;
}
