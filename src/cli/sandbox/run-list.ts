import { KeyframeError } from "../../base/errors.ts";
import { parseDurationMs } from "../../base/text/quantities.ts";
import { describeSandbox } from "../../sandbox/lifecycle/describe-sandbox.ts";
import { resumeSandbox } from "../../sandbox/lifecycle/resume-sandbox.ts";
import { readSandboxLogs } from "../../sandbox/lifecycle/sandbox-logs.ts";
import { suspendSandbox } from "../../sandbox/lifecycle/suspend.ts";
import { removeSandbox } from "../../sandbox/removal/remove-sandbox.ts";
import { findSandbox, listSandboxes, sandboxState } from "../../sandbox/store/sandbox-store.ts";
import type { CliContext } from "../command/context.ts";
import { formatTable, printableText } from "../output/terminal.ts";
import { formatAge } from "./age.ts";
import { sandboxContextOf } from "./context.ts";
import { printStarted } from "./run-start.ts";

export interface JsonFlags {
  readonly json?: boolean;
}

export function listSandboxesCommand(this: CliContext, flags: JsonFlags): void {
  const sandboxContext = sandboxContextOf(this);
  const all = listSandboxes(sandboxContext);
  if (flags.json) {
    this.terminal.json(all.map((record) => describeSandbox(sandboxContext, record)));
    return;
  }
  const rows = all.map((record) => [
    record.id,
    record.name ?? "",
    sandboxState(sandboxContext, record),
    record.image ?? "",
    record.base ?? "",
    `${record.shape.memoryMiB} MiB`,
    record.shape.accelerator,
    formatAge(this.clock.nowMs() - record.createdAtMs),
  ]);
  this.terminal.out(
    formatTable([["ID", "NAME", "STATE", "IMAGE", "SNAPSHOT", "MEMORY", "ACCEL", "AGE"], ...rows]),
  );
}

export function showSandbox(this: CliContext, flags: JsonFlags, id: string): void {
  const sandboxContext = sandboxContextOf(this);
  const facts = describeSandbox(sandboxContext, findSandbox(sandboxContext, id));
  if (flags.json) this.terminal.json(facts);
  else
    this.terminal.out(
      formatTable(Object.entries(facts).map(([name, value]) => [name, String(value ?? "-")])),
    );
}

/** The guest's console, then what QEMU said. */
export function showLogs(this: CliContext, flags: JsonFlags, id: string): void {
  const sandboxContext = sandboxContextOf(this);
  const read = readSandboxLogs(sandboxContext, findSandbox(sandboxContext, id));
  const logs = {
    console: printableText(read.console),
    hypervisor: printableText(read.hypervisor),
    sidecar: printableText(read.sidecar),
  };
  if (flags.json) this.terminal.json(logs);
  else
    this.terminal.out(
      Object.values(logs)
        .filter((text) => text !== "")
        .join("\n"),
    );
}

export async function removeSandboxes(this: CliContext, flags: JsonFlags, ...ids: string[]): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  if (ids.length === 0) throw new KeyframeError("usage", "name at least one sandbox");
  const removed: string[] = [];
  for (const id of ids) {
    const record = findSandbox(sandboxContext, id);
    await removeSandbox(sandboxContext, record);
    removed.push(record.id);
  }
  if (flags.json) this.terminal.json({ removed });
  else for (const id of removed) this.terminal.out(id);
}

export async function stopSandbox(this: CliContext, flags: JsonFlags, id: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const stopped = await suspendSandbox(sandboxContext, findSandbox(sandboxContext, id));
  if (flags.json) this.terminal.json(describeSandbox(sandboxContext, stopped));
  else this.terminal.out(stopped.id);
}

export async function resumeStopped(
  this: CliContext,
  flags: JsonFlags & { readonly ttl?: string },
  id: string,
): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const options = flags.ttl === undefined ? {} : { lifetimeMs: parseDurationMs(flags.ttl) };
  const sandbox = await resumeSandbox(sandboxContext, findSandbox(sandboxContext, id), options);
  printStarted(this, sandboxContext, [{ ok: true, sandbox }], flags.json === true);
}
