import { OpenAPIHono } from "@hono/zod-openapi";
import { KeyframeError } from "../base/errors.ts";
import { keyframeVersion } from "../base/version.ts";
import { answerError } from "./answer-error.ts";
import { apiKindOf } from "./api-kind.ts";
import type { ServerContext } from "./context/context.ts";
import { addControlRoutes } from "./e2b/control-routes.ts";
import { addFileRoutes } from "./e2b/file-routes.ts";
import { addFilesystemRoutes } from "./e2b/filesystem-routes.ts";
import type { LeaseKeeper } from "./e2b/lease.ts";
import { addProcessRoutes } from "./e2b/process-routes.ts";
import { guardRequests } from "./guard-requests.ts";
import { observeRequests } from "./observe-requests.ts";
import type { AccessRules } from "./requests/access.ts";
import type { AuditLog } from "./requests/audit-log.ts";
import { boundBodies } from "./requests/bound-bodies.ts";
import type { RequestEnv, ServerApp } from "./requests/request-env.ts";
import { toRequestError } from "./requests/request-errors.ts";
import { addExecRoute } from "./rest/exec-route.ts";
import { addFileTransferRoutes } from "./rest/file-transfer-routes.ts";
import { addImageRoutes } from "./rest/image-routes.ts";
import { addPackRoutes } from "./rest/pack-routes.ts";
import { addPoolRoute } from "./rest/pool-route.ts";
import { addPortRoutes } from "./rest/port-routes.ts";
import { addSandboxRoutes } from "./rest/sandbox-routes.ts";
import { addSnapshotRoutes } from "./rest/snapshot-routes.ts";
import { addStoreRoutes } from "./rest/store-routes.ts";

export interface AppOptions {
  readonly access: AccessRules;
  readonly audit: AuditLog;
  readonly leases: LeaseKeeper;
  readonly maxRequests: number;
}

/** All routes behind their guards. It can be asked without a socket: `app.request(...)`. */
export function createApp(server: ServerContext, options: AppOptions): ServerApp {
  const app = new OpenAPIHono<RequestEnv>({
    defaultHook: (result) => {
      if (!result.success) throw toRequestError(result.error);
    },
  });
  app.onError((error, c) => answerError(server, c, error));
  app.notFound((c) => {
    const { path } = c.req;
    // to E2B's package, "not found" would mean that the sandbox or the file is not there
    const code = apiKindOf(path) === "rest" ? "not-found" : "unsupported";
    return answerError(server, c, new KeyframeError(code, `this server has no ${c.req.method} ${path}`));
  });
  app.use(observeRequests(server, options));
  app.use(guardRequests(server, options.access));
  app.get("/healthz", (c) => c.json({ ok: true, version: keyframeVersion }));
  app.get("/metrics", (c) =>
    c.body(server.metrics.registry.text(), 200, { "content-type": "text/plain; version=0.0.4" }),
  );

  // before the limit on bodies: these are streams
  addFileTransferRoutes(app, server);
  addPackRoutes(app, server);
  app.use("/v1/*", boundBodies());
  addSandboxRoutes(app, server);
  addExecRoute(app, server);
  addSnapshotRoutes(app, server);
  addPortRoutes(app, server);
  addPoolRoute(app, server);
  addStoreRoutes(app, server);
  addImageRoutes(app, server);
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Keyframe",
      version: keyframeVersion,
      description: "Sandboxes, snapshots and images: what the commands do, over HTTP.",
    },
    security: [{ token: [] }, {}],
  });

  addControlRoutes(app, server, options.leases);
  addProcessRoutes(app, server);
  addFilesystemRoutes(app, server);
  addFileRoutes(app, server);
  return app;
}
