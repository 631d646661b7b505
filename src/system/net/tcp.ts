import { lookup } from "node:dns/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { Duplex } from "node:stream";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf } from "../files/files.ts";

export interface TcpTarget {
  /** An address: names are the caller's to resolve and to judge. */
  readonly address: string;
  readonly port: number;
}

/** Connects. Each direction of the connection ends by itself. */
export function connectTcp(target: TcpTarget, timeoutMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket: Socket = createConnection({
      host: target.address,
      port: target.port,
      allowHalfOpen: true,
      noDelay: true,
    });
    const where = `${target.address}:${target.port}`;
    const onError = (cause: Error) =>
      reject(new KeyframeError("io-failed", `cannot connect to ${where}: ${cause.message}`, { cause }));
    const onTimeout = () => {
      socket.destroy();
      reject(new KeyframeError("timed-out", `${where} did not answer within ${timeoutMs} ms`));
    };
    socket.setTimeout(timeoutMs, onTimeout);
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.off("timeout", onTimeout).off("error", onError);
      resolve(socket);
    });
  });
}

/** Listens on 127.0.0.1; port 0 takes a free one. `refused` if another program has the port. */
export function listenLoopback(
  port: number,
  onConnection: (connection: Duplex) => void,
): Promise<{ readonly port: number; close(): void }> {
  return new Promise((resolve, reject) => {
    const open = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      onConnection(socket);
    });
    server.once("error", (cause) =>
      reject(
        errnoOf(cause) === "EADDRINUSE"
          ? new KeyframeError("refused", `another program listens on port ${port}`, {
              hint: "choose another port with --host-port",
              cause,
            })
          : new KeyframeError("io-failed", `cannot listen on port ${port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, "127.0.0.1", () => {
      const bound = server.address();
      resolve({
        port: typeof bound === "object" && bound !== null ? bound.port : port,
        close() {
          server.close();
          for (const socket of open) socket.destroy();
        },
      });
    });
  });
}

/** The IPv4 addresses of a name, as this machine's programs would find them; none if it has none. */
export async function resolveAddresses(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true, family: 4 })).map(({ address }) => address);
  } catch (error) {
    if (["ENOTFOUND", "ENODATA"].includes(errnoOf(error) ?? "")) return [];
    throw error;
  }
}

/** The IPv4 addresses of this machine. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ family, address }) => (family === "IPv4" ? [address] : [])),
  );
}
