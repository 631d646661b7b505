import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { networkOf } from "../../sandbox/network/rules.ts";
import { branchIntoChildren } from "../../workflows/branch-into-children.ts";
import type { ServerContext } from "../context/context.ts";
import type { RequestContext, ServerApp } from "../requests/request-env.ts";
import {
  bodyOf,
  connectRequest,
  defaultTimeoutS,
  forkRequest,
  newSandbox,
  pauseRequest,
  refreshRequest,
  refuseWhatIsMissing,
  snapshotQuery,
  snapshotRequest,
  timeoutRequest,
} from "./control-requests.ts";
import { ControlledSandboxes, describeE2bSnapshot, noted, page } from "./controlled-sandboxes.ts";
import type { LeaseKeeper } from "./lease.ts";
import { parseE2bId } from "./sandbox-ids.ts";
import { readSandboxUsage } from "./sandbox-usage.ts";

/** What E2B's control plane answers, as far as its package needs it. */
export function addControlRoutes(app: ServerApp, server: ServerContext, leases: LeaseKeeper): void {
  const all = new ControlledSandboxes(server, leases);
  addLifeRoutes(app, server, all);
  addPauseRoutes(app, server, all);
  addSnapshotRoutes(app, server, all);
}

function addLifeRoutes(app: ServerApp, server: ServerContext, all: ControlledSandboxes): void {
  const { sandboxContext, sandboxApi } = server;

  const create = async (c: RequestContext) => {
    const request = await bodyOf(c, newSandbox);
    refuseWhatIsMissing(request);
    const [result] = await sandboxApi.createSandboxes(sandboxContext, {
      from: request.templateID,
      env: request.envVars ?? {},
      // nothing unless asked for, unlike E2B's own service
      ...(request.allow_internet_access === true ? { network: networkOf([]) } : {}),
      accelerator: server.accelerator,
      progress: () => undefined,
    });
    if (result === undefined || !result.ok) throw result?.error;
    const { record } = noted(server, result.sandbox);
    await all.beginLease(record, {
      format: 1,
      templateId: request.templateID,
      metadata: request.metadata ?? {},
      endsAtMs: sandboxContext.clock.nowMs() + request.timeout * 1000,
      onTimeout: request.autoPause ? "pause" : "kill",
    });
    return c.json(all.describe(record), 201);
  };
  app.post("/sandboxes", create);
  app.post("/v2/sandboxes", create);

  app.get("/sandboxes", (c) => c.json(all.listed(c, ["running"]).items));
  app.get("/v2/sandboxes", (c) => {
    const { items, nextToken } = all.listed(c, ["running", "paused"]);
    if (nextToken !== undefined) c.header("x-next-token", nextToken);
    return c.json(items);
  });

  app.get("/sandboxes/:id", (c) => c.json(all.describeInFull(all.find(c))));

  app.delete("/sandboxes/:id", async (c) => {
    await sandboxApi.removeSandbox(sandboxContext, all.find(c));
    return c.body(null, 204);
  });
}

/** Pause and continue, and when a sandbox ends. */
function addPauseRoutes(app: ServerApp, server: ServerContext, all: ControlledSandboxes): void {
  const { sandboxContext, sandboxApi } = server;

  app.post("/sandboxes/:id/pause", async (c) => {
    const { memory } = await bodyOf(c, pauseRequest);
    if (memory === false) throw new KeyframeError("unsupported", "a sandbox is paused with its memory");
    const record = all.find(c);
    if (all.stateOf(record) === "paused") throw new KeyframeError("refused", "the sandbox is paused already");
    await sandboxApi.suspendSandbox(sandboxContext, record);
    return c.body(null, 204);
  });

  const connect = async (c: RequestContext) => {
    const request = await bodyOf(c, connectRequest);
    if (request.memory === false)
      throw new KeyframeError("unsupported", "a sandbox continues with its memory");
    const record = all.find(c);
    const lease = all.knownLease(record);
    const endsAtMs = sandboxContext.clock.nowMs() + (request.timeout ?? defaultTimeoutS) * 1000;
    if (all.stateOf(record) === "running") {
      // to connect may only lengthen a life
      if (lease !== undefined)
        all.saveLease(record, { ...lease, endsAtMs: Math.max(lease.endsAtMs, endsAtMs) });
      return c.json(all.describe(record), 200);
    }
    // first: an old end must not take the sandbox as soon as it runs
    if (lease !== undefined) all.saveLease(record, { ...lease, endsAtMs });
    try {
      const resumed = noted(server, await sandboxApi.resumeSandbox(sandboxContext, record));
      return c.json(all.describe(resumed.record), 201);
    } catch (error) {
      // another client was faster: then it runs, which is what was asked for
      if (!isKeyframeError(error, "refused") || all.stateOf(all.find(c)) !== "running") throw error;
      return c.json(all.describe(record), 200);
    }
  };
  app.post("/sandboxes/:id/connect", connect);
  app.post("/v2/sandboxes/:id/connect", connect);
  app.post("/sandboxes/:id/resume", (c) => {
    if (all.stateOf(all.find(c)) === "running")
      throw new KeyframeError("refused", "the sandbox is running already");
    return connect(c);
  });

  app.post("/sandboxes/:id/timeout", async (c) => {
    const { timeout } = await bodyOf(c, timeoutRequest);
    const record = all.find(c);
    all.saveLease(record, {
      ...all.leaseOf(record),
      endsAtMs: sandboxContext.clock.nowMs() + timeout * 1000,
    });
    return c.body(null, 204);
  });
  app.post("/sandboxes/:id/refreshes", async (c) => {
    const { duration } = await bodyOf(c, refreshRequest);
    const record = all.find(c);
    const lease = all.leaseOf(record);
    const endsAtMs = Math.max(lease.endsAtMs, sandboxContext.clock.nowMs() + duration * 1000);
    all.saveLease(record, { ...lease, endsAtMs });
    return c.body(null, 204);
  });
}

function addSnapshotRoutes(app: ServerApp, server: ServerContext, all: ControlledSandboxes): void {
  const { sandboxContext, sandboxApi } = server;

  app.post("/sandboxes/:id/snapshots", async (c) => {
    const { name } = await bodyOf(c, snapshotRequest);
    const snapshot = await all.branch(all.find(c), name);
    return c.json(describeE2bSnapshot(snapshot), 201);
  });

  app.post("/sandboxes/:id/fork", async (c) => {
    const { timeout, count } = await bodyOf(c, forkRequest);
    const record = all.find(c);
    const { children: results } = await branchIntoChildren(
      sandboxContext,
      record,
      { count, onPaused: (writing) => all.observePause(writing) },
      sandboxApi,
    );
    const parent = all.leaseOf(record);
    const endsAtMs = sandboxContext.clock.nowMs() + timeout * 1000;
    const children = await Promise.all(
      results.map(async (result) => {
        if (!result.ok) return all.describeFailure(result.error);
        try {
          const child = noted(server, result.sandbox).record;
          await all.beginLease(child, { ...parent, endsAtMs });
          return { sandbox: all.describe(child) };
        } catch (error) {
          return all.describeFailure(error);
        }
      }),
    );
    return c.json(children, 201);
  });

  app.get("/sandboxes/:id/metrics", async (c) => {
    const record = all.find(c);
    return c.json(all.stateOf(record) === "running" ? [await readSandboxUsage(server, record)] : []);
  });

  app.get("/snapshots", (c) => {
    const query = snapshotQuery.parse(c.req.query());
    const of = query.sandboxID === undefined ? undefined : parseE2bId(query.sandboxID);
    const all = sandboxApi
      .listOwnSnapshots(sandboxContext)
      .filter((each) => each.state === "ready" && each.suspendOf === undefined)
      .filter((each) => query.sandboxID === undefined || each.sandbox === of)
      .filter((each) => query.name === undefined || each.name === query.name);
    const { items, nextToken } = page(all, query);
    if (nextToken !== undefined) c.header("x-next-token", nextToken);
    return c.json(items.map(describeE2bSnapshot));
  });
  app.delete("/templates/:id", async (c) => {
    await sandboxApi.removeSnapshot(
      sandboxContext,
      sandboxApi.findSnapshot(sandboxContext, c.req.param("id")),
      {},
    );
    return c.body(null, 204);
  });
}
