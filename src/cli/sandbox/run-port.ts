import { KeyframeError } from "../../base/errors.ts";
import { parseSandboxId } from "../../sandbox/ids.ts";
import { closePort, listPorts, openPort } from "../../sandbox/network/forward-port.ts";
import { runSidecar } from "../../sandbox/sidecar/sidecar.ts";
import { findSandbox } from "../../sandbox/store/sandbox-store.ts";
import type { CliContext } from "../command/context.ts";
import { formatTable } from "../output/terminal.ts";
import { sandboxContextOf } from "./context.ts";

export interface PortFlags {
  readonly hostPort?: number;
  readonly close?: boolean;
  readonly json?: boolean;
}

/** Forwards a port of this machine to the guest, ends that, or lists what is forwarded. */
export async function forwardPort(
  this: CliContext,
  flags: PortFlags,
  id: string,
  guestPort?: number,
): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const record = findSandbox(sandboxContext, id);
  if (guestPort === undefined) {
    if (flags.close || flags.hostPort !== undefined)
      throw new KeyframeError("usage", "name the guest's port");
    const forwards = listPorts(sandboxContext, record);
    if (flags.json) this.terminal.json(forwards);
    else {
      const rows = forwards.map((each) => [`127.0.0.1:${each.hostPort}`, String(each.guestPort)]);
      this.terminal.out(formatTable([["HERE", "GUEST"], ...rows]));
    }
    return;
  }
  const wanted = { guestPort, ...(flags.hostPort === undefined ? {} : { hostPort: flags.hostPort }) };
  if (flags.close) {
    const closed = await closePort(sandboxContext, record, wanted);
    if (flags.json) this.terminal.json(closed);
    return;
  }
  const added = await openPort(sandboxContext, record, wanted);
  if (flags.json) this.terminal.json(added);
  else this.terminal.out(`127.0.0.1:${added.hostPort}`);
}

/** The process beside a machine: not for people. */
export async function keepInBackground(this: CliContext, _flags: object, id: string): Promise<void> {
  const sandboxId = parseSandboxId(id);
  if (sandboxId === undefined) throw new KeyframeError("usage", `${id} is not the id of a sandbox`);
  await runSidecar(sandboxContextOf(this), sandboxId);
}
