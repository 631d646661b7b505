import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import type { Accelerator } from "../sandbox/hypervisor.ts";
import type { SandboxContext } from "../sandbox/store/home.ts";
import { listenHttp } from "../system/net/http-server.ts";
import type { SocketAddress } from "../system/net/sockets.ts";
import { createApp } from "./app.ts";
import { createBackgroundWork } from "./context/background-work.ts";
import type { ServerContext, SnapshotStores } from "./context/context.ts";
import { createGuestSessions } from "./context/guest-sessions.ts";
import { keptSecret } from "./context/kept-secret.ts";
import { sandboxApi } from "./context/sandbox-api.ts";
import { createServerMetrics } from "./context/server-metrics.ts";
import { keepLeases } from "./e2b/lease.ts";
import { openAuditLog } from "./requests/audit-log.ts";
import { httpLimits, maxRequests, stopGraceMs } from "./requests/limits.ts";
import { addSandboxGauges } from "./sandbox-gauges.ts";

export interface ServerOptions {
  readonly address: SocketAddress;
  readonly token: string | undefined;
  /** True for a loopback address or a unix socket: who asks must call it that. */
  readonly localOnly: boolean;
  readonly accelerator: Accelerator | undefined;
  readonly isRoot: boolean;
  readonly stores: SnapshotStores;
}

export interface RunningServer {
  readonly address: SocketAddress;
  /**
   * In order: takes no new requests, lets the ones that are answered end for some seconds, ends their streams, and
   * waits for snapshots that are being written. Sandboxes go on.
   */
  stop(): Promise<void>;
}

/** Starts to serve. All that it knows is in files, so any number of servers and commands may work on one home. */
export async function startServer(
  sandboxContext: SandboxContext,
  options: ServerOptions,
): Promise<RunningServer> {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every stream listens
  const sessions = createGuestSessions(sandboxContext, sandboxApi);
  const server: ServerContext = {
    sandboxContext,
    sandboxApi,
    accelerator: options.accelerator,
    isRoot: options.isRoot,
    stores: options.stores,
    secret: keptSecret(sandboxContext, "api-secret").secret,
    sessions,
    metrics: createServerMetrics(),
    background: createBackgroundWork(sandboxContext.warn),
    stopping: stopping.signal,
  };
  addSandboxGauges(server);
  const leases = keepLeases(server);
  try {
    const app = createApp(server, {
      access: { token: options.token, localOnly: options.localOnly && options.token === undefined },
      audit: openAuditLog(join(sandboxContext.home.root, "audit.log"), sandboxContext),
      leases,
      maxRequests,
    });
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    const http = await listenHttp(
      options.address,
      (incoming, outgoing) =>
        forbiddenMethods.has(incoming.method ?? "")
          ? void outgoing
              .writeHead(405, { connection: "close", allow: "GET, HEAD, POST, PUT, PATCH, DELETE" })
              .end()
          : void listener(incoming, outgoing),
      httpLimits,
    );
    return {
      address: http.address,
      async stop() {
        const closed = http.close();
        const limit = new AbortController();
        const late = sandboxContext.clock.sleep(stopGraceMs, limit.signal).then(
          () => undefined,
          () => undefined, // all ended in time
        );
        stopping.abort();
        await Promise.race([closed, late]);
        limit.abort();
        http.cut();
        await closed;
        await leases.stop();
        await server.background.settled();
        await sessions.close();
      },
    };
  } catch (error) {
    await leases.stop();
    throw error;
  }
}

/** No `Request` can be made of them: the listener would fail. */
const forbiddenMethods: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);
