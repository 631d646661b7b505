import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { VirtualMachine } from "../hypervisor.ts";
import { parseSandboxId, type SandboxId } from "../ids.ts";
import type { SandboxContext } from "./home.ts";
import { readSandboxRecord, type SandboxRecord, writeRecord } from "./records.ts";

/**
 * `pooled`: loaded and stopped, to become a sandbox when one is asked for. `dead`: its machine ended without being told to (killed, out of memory, time to live). `abandoned`: the process that
 * started it ended before it ran.
 */
export type SandboxState = (typeof sandboxStates)[number];

export const sandboxStates = ["starting", "running", "stopped", "pooled", "dead", "abandoned"] as const;

export function sandboxRecordPath(context: SandboxContext, id: SandboxId): string {
  return join(context.home.sandboxFolder(id), "sandbox.json");
}

export function listSandboxes(context: SandboxContext): SandboxRecord[] {
  return [...readSandboxes(context)].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
}

/** All sandboxes in no order, each read when it is asked for. */
export function* readSandboxes(context: SandboxContext): Generator<SandboxRecord> {
  for (const { name } of context.files.listIfExists(context.home.folder("sandboxes")) ?? []) {
    const id = parseSandboxId(name);
    const record = id && readSandboxRecord(context.files, sandboxRecordPath(context, id));
    if (record !== undefined) yield record;
  }
}

/** From the record and the process table: a pid counts only with its start time. */
export function sandboxState(context: SandboxContext, record: SandboxRecord): SandboxState {
  if (record.status === "stopped") return "stopped";
  if (record.status === "starting") {
    if (record.starter !== undefined && context.processTable.isRunning(record.starter)) return "starting";
    if (record.continues !== true) return "abandoned";
    return record.suspended === undefined ? "dead" : "stopped";
  }
  return record.machine !== undefined && context.processTable.isRunning(record.machine.process)
    ? record.status
    : "dead";
}

/** By id or name; `not-found`. */
export function findSandbox(context: SandboxContext, text: string): SandboxRecord {
  const id = parseSandboxId(text);
  const record =
    id !== undefined
      ? readSandboxRecord(context.files, sandboxRecordPath(context, id))
      : listSandboxes(context).find((each) => each.name === text);
  if (record === undefined) {
    throw new KeyframeError("not-found", `there is no sandbox ${text}`, {
      hint: "`keyframe sandbox list` lists them",
    });
  }
  return record;
}

/** Throws unless it runs, saying what it does instead. */
export function mustRun(
  context: SandboxContext,
  record: SandboxRecord,
): NonNullable<SandboxRecord["machine"]> {
  const state = sandboxState(context, record);
  if (state === "running" && record.machine !== undefined) return record.machine;
  const label = record.name ?? record.id;
  if (state === "stopped") {
    throw new KeyframeError("refused", `sandbox ${label} is stopped`, {
      hint: `\`keyframe sandbox resume ${label}\` continues it`,
    });
  }
  if (state === "pooled") {
    throw new KeyframeError("refused", `sandbox ${label} is kept ready for a fork and runs nothing yet`, {
      hint: "`keyframe sandbox run` with its snapshot takes it from the pool",
    });
  }
  throw new KeyframeError("guest-gone", `sandbox ${label} is not running: ${state}`, {
    hint:
      state === "dead"
        ? `\`keyframe sandbox resume ${label}\` starts it from its disk, \`keyframe sandbox logs ${label}\` may show why it ended`
        : `\`keyframe sandbox rm ${label}\` removes what is left`,
  });
}

/** Adopts the machine of a running sandbox. The caller holds the sandbox's lock and detaches. */
export function attachMachine(context: SandboxContext, record: SandboxRecord): Promise<VirtualMachine> {
  const machine = mustRun(context, record);
  return context.hypervisor.attach({ folder: context.home.sandboxFolder(record.id), ...machine });
}

export function saveSandboxRecord(context: SandboxContext, record: SandboxRecord): void {
  writeRecord(context.files, sandboxRecordPath(context, record.id), record);
}
