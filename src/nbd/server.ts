import type { Clock } from "../system/clock.ts";
import type { ListenSocket, SocketAddress, TlsIdentity } from "../system/net/sockets.ts";
import { type Connection, serveConnection } from "./connection.ts";
import type { NbdExport } from "./export.ts";
import { maxConnections } from "./limits.ts";
import { createSlabPool } from "./reply-writer.ts";

export interface NbdServerOptions {
  readonly address: SocketAddress;
  /** At least one; the first is also what clients get that name none. */
  readonly exports: readonly NbdExport[];
  readonly tls?: TlsIdentity;
}

export interface NbdServer {
  /** With the port that was chosen. */
  readonly address: SocketAddress;
  connections(): number;
  /** Stops listening and drops all clients. The devices stay open: they are the caller's. */
  close(): Promise<void>;
}

export interface NbdServerSystem {
  readonly listenSocket: ListenSocket;
  readonly clock: Clock;
}

/** Serves disks to NBD clients until it is closed. */
export async function startNbdServer(options: NbdServerOptions, system: NbdServerSystem): Promise<NbdServer> {
  const connections = new Set<Connection>();
  const pool = createSlabPool();
  const server = await system.listenSocket(options.address, (socket) => {
    if (connections.size >= maxConnections) {
      socket.handle({ onData: () => undefined, onClose: () => undefined });
      socket.destroy();
      return;
    }
    const connection = serveConnection({
      socket,
      exports: options.exports,
      tls: options.tls,
      clock: system.clock,
      pool,
      onClosed: () => void connections.delete(connection),
    });
    connections.add(connection);
  });
  return {
    address: server.address,
    connections: () => connections.size,
    async close() {
      const closed = server.close();
      for (const connection of connections) connection.destroy();
      await closed;
    },
  };
}
