import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ConnectionRoom } from "./connection-room.ts";
import { listenReplacing, type SocketAddress } from "./sockets.ts";

export type HttpHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

export interface HttpServer {
  /** Where it listens: with the port that was taken. */
  readonly address: SocketAddress;
  /** Takes no new connections and ends idle ones; resolves when the last has ended. */
  close(): Promise<void>;
  /** Ends all connections now. */
  cut(): void;
}

export interface HttpLimits {
  readonly maxConnections: number;
  /** Connections of one address that have not sent a request yet, or wait for their next one. */
  readonly maxWaitingPerPeer: number;
  readonly maxHeaderBytes: number;
  /** For the head of a request. */
  readonly headersTimeoutMs: number;
  /** Silence while a request's body is expected. */
  readonly bodyIdleTimeoutMs: number;
}

/** Listens for HTTP/1.1. A unix socket is this user's only. @throws KeyframeError as of `listenNodeSocket` */
export async function listenHttp(
  address: SocketAddress,
  handler: HttpHandler,
  limits: HttpLimits,
): Promise<HttpServer> {
  let closing = false;
  const room = new ConnectionRoom({
    most: limits.maxConnections,
    mostWaitingPerPeer: limits.maxWaitingPerPeer,
  });
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      // a body may take as long as it likes while something arrives: see below
      requestTimeout: 0,
      keepAliveTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(limits.headersTimeoutMs, 5_000),
      noDelay: true,
    },
    (incoming, outgoing) => {
      room.busy(incoming.socket);
      outgoing.once("close", () => room.idle(incoming.socket));
      const hasBody =
        incoming.headers["transfer-encoding"] !== undefined ||
        Number(incoming.headers["content-length"] ?? 0) > 0;
      if (hasBody) {
        // the server ends a connection that is silent for so long
        incoming.socket.setTimeout(limits.bodyIdleTimeoutMs);
        incoming.once("end", () => {
          // behind the answer, the time is the one of a connection that waits for its next request
          if (!outgoing.writableFinished) incoming.socket.setTimeout(0);
        });
      }
      // a kept connection would otherwise hold the end up until its time is over
      outgoing.once("close", () => setImmediate(() => closing && server.closeIdleConnections()));
      handler(incoming, outgoing);
    },
  );
  server.on("connection", (socket) => room.arrived(socket));
  server.maxHeadersCount = 100;
  const bound = await listenReplacing(server, address);
  return {
    address: bound,
    close: () =>
      new Promise((resolve) => {
        closing = true;
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    cut: () => server.closeAllConnections(),
  };
}
