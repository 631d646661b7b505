import { resolve } from "node:path";
import { KeyframeError } from "../../../base/errors.ts";
import { startNbdServer } from "../../../nbd/server.ts";
import { listenNodeSocket, type SocketAddress, type TlsIdentity } from "../../../system/net/sockets.ts";
import { waitForStopSignal } from "../../../system/process/stop-signal.ts";
import type { CliContext } from "../../command/context.ts";
import { openFlaggedDevice } from "../open/open-device.ts";
import type { ImageServeFlags } from "./image-serve-command.ts";

/** Serves until SIGINT or SIGTERM, then makes the overlay durable. */
export async function imageServe(this: CliContext, flags: ImageServeFlags, image: string): Promise<void> {
  const address = addressOf(this, flags);
  const tls = tlsOf(this, flags);
  const stopped = waitForStopSignal();
  const device = await openFlaggedDevice(this, image, flags);
  try {
    const server = await startNbdServer(
      { address, exports: [{ name: "", description: image, device }], ...(tls === undefined ? {} : { tls }) },
      { listenSocket: listenNodeSocket, clock: this.clock },
    );
    const uri = uriOf(server.address, tls !== undefined);
    if (flags.json) this.terminal.json({ uri, sizeBytes: device.sizeBytes, readOnly: device.readOnly });
    else this.terminal.out(uri);
    await stopped;
    await server.close();
  } finally {
    await device.close();
  }
}

function addressOf(context: CliContext, flags: ImageServeFlags): SocketAddress {
  if ((flags.socket === undefined) === (flags.port === undefined)) {
    throw new KeyframeError("usage", "name either --socket or --port", {
      hint: "for example --socket /tmp/disk.sock",
    });
  }
  if (flags.socket !== undefined) return { path: resolve(context.cwd, flags.socket) };
  const port = flags.port ?? 0;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new KeyframeError("usage", `${port} is not a port`);
  }
  return { port };
}

function tlsOf(
  context: CliContext,
  { tlsCert, tlsKey, tlsClientCa }: ImageServeFlags,
): TlsIdentity | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new KeyframeError("usage", "--tls-cert and --tls-key go together");
  }
  const read = (path: string) => context.files.read(resolve(context.cwd, path)).toString("utf8");
  return {
    certificate: read(tlsCert),
    key: read(tlsKey),
    ...(tlsClientCa === undefined ? {} : { clientAuthority: read(tlsClientCa) }),
  };
}

/** What NBD clients take: `nbd+unix:///?socket=/path` or `nbd://host:port`. */
export function uriOf(address: SocketAddress, secure: boolean): string {
  const scheme = secure ? "nbds" : "nbd";
  if ("path" in address) return `${scheme}+unix:///?socket=${address.path}`;
  return `${scheme}://${address.host ?? "127.0.0.1"}:${address.port}`;
}
