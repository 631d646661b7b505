import { KeyframeError } from "../../base/errors.ts";
import type { SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { mustRun } from "../store/sandbox-store.ts";
import { type PortForward, readForwards } from "./port-forwards.ts";
import { askSidecar } from "./sidecar-client.ts";

/** Which forwarding is meant: without `hostPort` all of the guest's port, or a free one for a new forwarding. */
export interface WantedPort {
  readonly guestPort: number;
  readonly hostPort?: number;
}

/** The ports of this machine that lead into a sandbox. */
export function listPorts(context: SandboxContext, record: SandboxRecord): readonly PortForward[] {
  return readForwards(context, record.id);
}

/** Lets a port of this machine's 127.0.0.1 lead to one of the guest's, until the sandbox ends. */
export async function openPort(
  context: SandboxContext,
  record: SandboxRecord,
  { guestPort, hostPort = 0 }: WantedPort,
): Promise<PortForward> {
  mustRun(context, record);
  const before = ofGuestPort(context, record, guestPort);
  const after = await askSidecar(context, record, { do: "forward", guestPort, hostPort });
  const added = after.find(
    (each) => each.guestPort === guestPort && !before.some((known) => known.hostPort === each.hostPort),
  );
  if (added === undefined) throw new KeyframeError("io-failed", "the forwarded port was closed again");
  return added;
}

/** @throws KeyframeError `not-found` where nothing leads there */
export async function closePort(
  context: SandboxContext,
  record: SandboxRecord,
  { guestPort, hostPort }: WantedPort,
): Promise<readonly PortForward[]> {
  mustRun(context, record);
  const closed = ofGuestPort(context, record, guestPort).filter(
    (each) => hostPort === undefined || each.hostPort === hostPort,
  );
  if (closed.length === 0) {
    throw new KeyframeError("not-found", `port ${guestPort} of the guest is not forwarded`);
  }
  for (const each of closed) await askSidecar(context, record, { do: "close", hostPort: each.hostPort });
  return closed;
}

function ofGuestPort(
  context: SandboxContext,
  record: SandboxRecord,
  guestPort: number,
): readonly PortForward[] {
  return listPorts(context, record).filter((each) => each.guestPort === guestPort);
}
