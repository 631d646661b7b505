import { machineFiles } from "../qemu/qemu-arguments.ts";
import type { SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";

/** The most that is read of each log, bytes: the end. */
const maxLogBytes = 4 * 1024 * 1024;

/** What the guest's kernel, QEMU and the process beside it have printed. Control characters are as the guest chose them. */
export function readSandboxLogs(
  context: SandboxContext,
  record: SandboxRecord,
): { readonly console: string; readonly hypervisor: string; readonly sidecar: string } {
  const folder = context.home.sandboxFolder(record.id);
  const read = (name: string) => {
    const path = `${folder}/${name}`;
    return context.files.statIfExists(path) === undefined
      ? ""
      : context.files.readTail(path, maxLogBytes).toString("utf8");
  };
  return {
    console: read(machineFiles.console),
    hypervisor: read(machineFiles.log),
    sidecar: read(machineFiles.sidecarLog),
  };
}
