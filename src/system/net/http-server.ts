import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { nodeFiles } from "../files/files.ts";
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
  server.maxConnections = limits.maxConnections;
  server.maxHeadersCount = 100;
  const bound = await listenReplacing(server, address);
  if ("path" in bound) nodeFiles.setMode(bound.path, 0o600);
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
