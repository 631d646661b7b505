import { join } from "node:path";
import { isKeyframeError } from "../../base/errors.ts";
import type { SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { machineFiles } from "./qemu-arguments.ts";

/** Writes down that somebody begins or ends to use the sandbox; only where there is a limit that asks. */
export function noteUse(context: SandboxContext, record: Pick<SandboxRecord, "id" | "idleMs">): void {
  if (record.idleMs === undefined) return;
  try {
    context.files.replaceWithoutSync(usePath(context, record), Buffer.alloc(0), { mode: 0o600 });
  } catch (error) {
    // its directory is gone: it was removed while it was used
    if (!isKeyframeError(error, "not-found")) throw error;
  }
}

/** Unix time; 0 if nobody ever has. */
export function lastUseMs(context: SandboxContext, record: Pick<SandboxRecord, "id">): number {
  return context.files.statIfExists(usePath(context, record))?.mtimeMs ?? 0;
}

function usePath(context: SandboxContext, record: Pick<SandboxRecord, "id">): string {
  return join(context.home.sandboxFolder(record.id), machineFiles.lastUse);
}
