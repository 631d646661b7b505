import { KeyframeError } from "../../base/errors.ts";
import type { SandboxWorld } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { mustRun } from "../store/sandbox-store.ts";
import { askKeeper } from "./keeper-client.ts";
import { type PortForward, readForwards } from "./port-forwards.ts";

/** Which forwarding is meant: without `hostPort` all of the guest's port, or a free one for a new forwarding. */
export interface WantedPort {
  readonly guestPort: number;
  readonly hostPort?: number;
}

/** The ports of this machine that lead into a sandbox. */
export function listPorts(world: SandboxWorld, record: SandboxRecord): readonly PortForward[] {
  return readForwards(world, record.id);
}

/** Lets a port of this machine's 127.0.0.1 lead to one of the guest's, until the sandbox ends. */
export async function openPort(
  world: SandboxWorld,
  record: SandboxRecord,
  { guestPort, hostPort = 0 }: WantedPort,
): Promise<PortForward> {
  mustRun(world, record);
  const before = ofGuestPort(world, record, guestPort);
  const after = await askKeeper(world, record, { do: "forward", guestPort, hostPort });
  const added = after.find(
    (each) => each.guestPort === guestPort && !before.some((known) => known.hostPort === each.hostPort),
  );
  if (added === undefined) throw new KeyframeError("io-failed", "the forwarded port was closed again");
  return added;
}

/** @throws KeyframeError `not-found` where nothing leads there */
export async function closePort(
  world: SandboxWorld,
  record: SandboxRecord,
  { guestPort, hostPort }: WantedPort,
): Promise<readonly PortForward[]> {
  mustRun(world, record);
  const closed = ofGuestPort(world, record, guestPort).filter(
    (each) => hostPort === undefined || each.hostPort === hostPort,
  );
  if (closed.length === 0) {
    throw new KeyframeError("not-found", `port ${guestPort} of the guest is not forwarded`);
  }
  for (const each of closed) await askKeeper(world, record, { do: "close", hostPort: each.hostPort });
  return closed;
}

function ofGuestPort(world: SandboxWorld, record: SandboxRecord, guestPort: number): readonly PortForward[] {
  return listPorts(world, record).filter((each) => each.guestPort === guestPort);
}
