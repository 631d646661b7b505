import { KeyframeError } from "../../base/errors.ts";
import { parseSandboxId } from "../../sandbox/ids.ts";
import { keepSandbox } from "../../sandbox/keeper.ts";
import { askKeeper } from "../../sandbox/keeper-client.ts";
import { readForwards } from "../../sandbox/port-forwards.ts";
import { findSandbox, mustRun } from "../../sandbox/sandbox-store.ts";
import type { CliContext } from "../context.ts";
import { formatTable } from "../terminal.ts";
import { sandboxWorld } from "./world.ts";

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
  const world = sandboxWorld(this);
  const record = findSandbox(world, id);
  if (guestPort === undefined) {
    if (flags.close || flags.hostPort !== undefined)
      throw new KeyframeError("usage", "name the guest's port");
    const forwards = readForwards(world, record.id);
    if (flags.json) this.terminal.json(forwards);
    else {
      const rows = forwards.map((each) => [`127.0.0.1:${each.hostPort}`, String(each.guestPort)]);
      this.terminal.out(formatTable([["HERE", "GUEST"], ...rows]));
    }
    return;
  }
  mustRun(world, record);
  const before = readForwards(world, record.id).filter((each) => each.guestPort === guestPort);
  if (flags.close) {
    const closed = before.filter((each) => flags.hostPort === undefined || each.hostPort === flags.hostPort);
    if (closed.length === 0) {
      throw new KeyframeError("not-found", `port ${guestPort} of the guest is not forwarded`);
    }
    for (const { hostPort } of closed) await askKeeper(world, record, { do: "close", hostPort });
    if (flags.json) this.terminal.json(closed);
    return;
  }
  const wanted = { do: "forward", guestPort, hostPort: flags.hostPort ?? 0 } as const;
  const after = await askKeeper(world, record, wanted);
  const added = after.find(
    (each) => each.guestPort === guestPort && !before.some(({ hostPort }) => hostPort === each.hostPort),
  );
  if (added === undefined) throw new KeyframeError("io-failed", "the forwarded port was closed again");
  if (flags.json) this.terminal.json(added);
  else this.terminal.out(`127.0.0.1:${added.hostPort}`);
}

/** The process beside a machine: not for people. */
export async function keepInBackground(this: CliContext, _flags: object, id: string): Promise<void> {
  const sandboxId = parseSandboxId(id);
  if (sandboxId === undefined) throw new KeyframeError("usage", `${id} is not the id of a sandbox`);
  await keepSandbox(sandboxWorld(this), sandboxId);
}
