import { join } from "node:path";
import * as z from "zod";
import { errorText, KeyframeError } from "../../base/errors.ts";
import { listenLoopback } from "../../system/net/tcp.ts";
import type { GuestChannel } from "../guest/channel.ts";
import type { SandboxId } from "../ids.ts";
import { maxForwards } from "../limits.ts";
import type { SandboxContext } from "../store/home.ts";
import { joinConnection } from "./join-connection.ts";

/** A port of this machine's 127.0.0.1 that leads to a port of the guest's 127.0.0.1. */
export interface PortForward {
  readonly hostPort: number;
  readonly guestPort: number;
}

export interface PortForwards {
  list(): readonly PortForward[];
  /** Port 0 takes a free one. `refused` if the port is taken. */
  add(wanted: PortForward): Promise<PortForward>;
  /** `not-found` if there is none. */
  close(hostPort: number): void;
  /** Stops listening; a later sidecar listens again. */
  release(): void;
  /** Whether a connection is open through any. */
  inUse(): boolean;
}

const port = z.int().min(1).max(65535);
const savedForwards = z.object({
  format: z.literal(1),
  forwards: z.array(z.object({ hostPort: port, guestPort: port })).max(maxForwards),
});

/** What was forwarded last; `damaged` if the file is not such a list. */
export function readForwards(context: SandboxContext, id: SandboxId): readonly PortForward[] {
  const bytes = context.files.readIfExists(forwardsPath(context, id));
  if (bytes === undefined) return [];
  try {
    return savedForwards.parse(JSON.parse(bytes.toString("utf8"))).forwards;
  } catch (cause) {
    throw new KeyframeError("damaged", `${forwardsPath(context, id)} is not a list of forwarded ports`, {
      hint: "remove the file and forward the ports again",
      cause,
    });
  }
}

/** Opens what was forwarded before; what cannot be opened any more is said and forgotten. */
export async function openPortForwards(
  context: SandboxContext,
  id: SandboxId,
  guest: GuestChannel,
): Promise<PortForwards> {
  const open = new Map<number, { readonly forward: PortForward; close(): void }>();
  let connections = 0;

  async function listen(wanted: PortForward): Promise<PortForward> {
    const listener = await listenLoopback(wanted.hostPort, (connection) => {
      connections += 1;
      void joinConnection(connection, guest.connect(wanted.guestPort)).finally(() => {
        connections -= 1;
      });
    });
    const forward = { hostPort: listener.port, guestPort: wanted.guestPort };
    open.set(forward.hostPort, { forward, close: () => listener.close() });
    return forward;
  }

  const list = () => [...open.values()].map(({ forward }) => forward);
  const save = () =>
    context.files.replace(
      forwardsPath(context, id),
      Buffer.from(`${JSON.stringify({ format: 1, forwards: list() })}\n`),
      { mode: 0o600 },
    );
  const before = readForwards(context, id);
  for (const wanted of before) {
    await listen(wanted).catch((error: unknown) => {
      context.warn(`port ${wanted.hostPort} is not forwarded any more: ${errorText(error)}`);
    });
  }
  if (open.size < before.length) save();
  return {
    list,
    async add(wanted) {
      if (open.size >= maxForwards) {
        throw new KeyframeError("refused", `${maxForwards} ports of the sandbox are forwarded already`);
      }
      const forward = await listen(wanted);
      save();
      return forward;
    },
    close(hostPort) {
      const found = open.get(hostPort);
      if (found === undefined) {
        throw new KeyframeError("not-found", `port ${hostPort} is not forwarded to this sandbox`);
      }
      found.close();
      open.delete(hostPort);
      save();
    },
    release() {
      for (const each of open.values()) each.close();
    },
    inUse: () => connections > 0,
  };
}

function forwardsPath(context: SandboxContext, id: SandboxId): string {
  return join(context.home.sandboxFolder(id), "forwards.json");
}
