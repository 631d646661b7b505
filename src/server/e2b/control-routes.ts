import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import type { WritingSnapshot } from "../../sandbox/lifecycle/branch.ts";
import type { StartedSandbox } from "../../sandbox/lifecycle/start-sandbox.ts";
import { networkOf } from "../../sandbox/network/rules.ts";
import type { SandboxRecord, SnapshotRecord } from "../../sandbox/store/records.ts";
import { branchIntoChildren } from "../../workflows/branch-into-children.ts";
import type { ServerContext } from "../context/context.ts";
import { noteFailure } from "../context/note-failure.ts";
import { sandboxToken } from "../requests/access.ts";
import type { RequestContext, ServerApp } from "../requests/request-env.ts";
import {
  bodyOf,
  connectRequest,
  defaultTimeoutS,
  forkRequest,
  listQuery,
  newSandbox,
  pauseRequest,
  refreshRequest,
  refuseWhatIsMissing,
  snapshotQuery,
  snapshotRequest,
  timeoutRequest,
} from "./control-requests.ts";
import { envdVersion } from "./envd.ts";
import { type LeaseKeeper, readLease, type SandboxLease, writeLease } from "./lease.ts";
import { encodeE2bId, parseE2bId } from "./sandbox-ids.ts";
import { readSandboxUsage } from "./sandbox-usage.ts";

/** What E2B's control plane answers, as far as its package needs it. */
export function addControlRoutes(app: ServerApp, server: ServerContext, leases: LeaseKeeper): void {
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
    await beginLease(record, {
      format: 1,
      templateId: request.templateID,
      metadata: request.metadata ?? {},
      endsAtMs: sandboxContext.clock.nowMs() + request.timeout * 1000,
      onTimeout: request.autoPause ? "pause" : "kill",
    });
    return c.json(describe(record), 201);
  };
  app.post("/sandboxes", create);
  app.post("/v2/sandboxes", create);

  app.get("/sandboxes", (c) => c.json(listed(c, ["running"]).items));
  app.get("/v2/sandboxes", (c) => {
    const { items, nextToken } = listed(c, ["running", "paused"]);
    if (nextToken !== undefined) c.header("x-next-token", nextToken);
    return c.json(items);
  });

  app.get("/sandboxes/:id", (c) => c.json(describeInFull(find(c))));

  app.delete("/sandboxes/:id", async (c) => {
    await sandboxApi.removeSandbox(sandboxContext, find(c));
    return c.body(null, 204);
  });

  app.post("/sandboxes/:id/pause", async (c) => {
    const { memory } = await bodyOf(c, pauseRequest);
    if (memory === false) throw new KeyframeError("unsupported", "a sandbox is paused with its memory");
    const record = find(c);
    if (stateOf(record) === "paused") throw new KeyframeError("refused", "the sandbox is paused already");
    await sandboxApi.suspendSandbox(sandboxContext, record);
    return c.body(null, 204);
  });

  const connect = async (c: RequestContext) => {
    const request = await bodyOf(c, connectRequest);
    if (request.memory === false)
      throw new KeyframeError("unsupported", "a sandbox continues with its memory");
    const record = find(c);
    const lease = knownLease(record);
    const endsAtMs = sandboxContext.clock.nowMs() + (request.timeout ?? defaultTimeoutS) * 1000;
    if (stateOf(record) === "running") {
      // to connect may only lengthen a life
      if (lease !== undefined) saveLease(record, { ...lease, endsAtMs: Math.max(lease.endsAtMs, endsAtMs) });
      return c.json(describe(record), 200);
    }
    // first: an old end must not take the sandbox as soon as it runs
    if (lease !== undefined) saveLease(record, { ...lease, endsAtMs });
    try {
      const resumed = noted(server, await sandboxApi.resumeSandbox(sandboxContext, record));
      return c.json(describe(resumed.record), 201);
    } catch (error) {
      // another client was faster: then it runs, which is what was asked for
      if (!isKeyframeError(error, "refused") || stateOf(find(c)) !== "running") throw error;
      return c.json(describe(record), 200);
    }
  };
  app.post("/sandboxes/:id/connect", connect);
  app.post("/v2/sandboxes/:id/connect", connect);
  app.post("/sandboxes/:id/resume", (c) => {
    if (stateOf(find(c)) === "running") throw new KeyframeError("refused", "the sandbox is running already");
    return connect(c);
  });

  app.post("/sandboxes/:id/timeout", async (c) => {
    const { timeout } = await bodyOf(c, timeoutRequest);
    const record = find(c);
    saveLease(record, { ...leaseOf(record), endsAtMs: sandboxContext.clock.nowMs() + timeout * 1000 });
    return c.body(null, 204);
  });
  app.post("/sandboxes/:id/refreshes", async (c) => {
    const { duration } = await bodyOf(c, refreshRequest);
    const record = find(c);
    const lease = leaseOf(record);
    const endsAtMs = Math.max(lease.endsAtMs, sandboxContext.clock.nowMs() + duration * 1000);
    saveLease(record, { ...lease, endsAtMs });
    return c.body(null, 204);
  });

  app.post("/sandboxes/:id/snapshots", async (c) => {
    const { name } = await bodyOf(c, snapshotRequest);
    const snapshot = await branch(find(c), name);
    return c.json(describeSnapshot(snapshot), 201);
  });

  app.post("/sandboxes/:id/fork", async (c) => {
    const { timeout, count } = await bodyOf(c, forkRequest);
    const record = find(c);
    const { children: results } = await branchIntoChildren(
      sandboxContext,
      record,
      { count, onPaused: observePause },
      sandboxApi,
    );
    const parent = leaseOf(record);
    const endsAtMs = sandboxContext.clock.nowMs() + timeout * 1000;
    const children = await Promise.all(
      results.map(async (result) => {
        if (!result.ok) return describeFailure(result.error);
        try {
          const child = noted(server, result.sandbox).record;
          await beginLease(child, { ...parent, endsAtMs });
          return { sandbox: describe(child) };
        } catch (error) {
          return describeFailure(error);
        }
      }),
    );
    return c.json(children, 201);
  });

  app.get("/sandboxes/:id/metrics", async (c) => {
    const record = find(c);
    return c.json(stateOf(record) === "running" ? [await readSandboxUsage(server, record)] : []);
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
    return c.json(items.map(describeSnapshot));
  });
  app.delete("/templates/:id", async (c) => {
    await sandboxApi.removeSnapshot(
      sandboxContext,
      sandboxApi.findSnapshot(sandboxContext, c.req.param("id")),
      {},
    );
    return c.body(null, 204);
  });

  /** `not-found` also for one whose machine has ended by itself: to this interface it is gone. */
  function find(c: RequestContext): SandboxRecord {
    const text = c.req.param("id") ?? "";
    const id = parseE2bId(text);
    if (id !== undefined) {
      const record = sandboxApi.findSandbox(sandboxContext, id);
      if (stateOf(record) !== undefined) return record;
    }
    throw new KeyframeError("not-found", `there is no sandbox ${JSON.stringify(text.slice(0, 100))}`);
  }

  function stateOf(record: SandboxRecord): "running" | "paused" | undefined {
    const state = sandboxApi.sandboxState(sandboxContext, record);
    if (state === "running") return "running";
    return state === "stopped" ? "paused" : undefined;
  }

  /** One that was started otherwise has none and no end; setting one gives it both. */
  function leaseOf(record: SandboxRecord): SandboxLease {
    const endsAtMs = record.expiresAtMs ?? farFutureMs;
    return (
      knownLease(record) ?? {
        format: 1,
        templateId: templateOf(record),
        metadata: {},
        endsAtMs,
        onTimeout: "kill",
      }
    );
  }

  /** A damaged one counts as none, so that it hides no other sandbox; who keeps the leases says so. */
  function knownLease(record: SandboxRecord): SandboxLease | undefined {
    try {
      return readLease(server, record.id);
    } catch (error) {
      if (isKeyframeError(error, "damaged")) return undefined;
      throw error;
    }
  }

  function saveLease(record: SandboxRecord, lease: SandboxLease): void {
    writeLease(server, record.id, lease);
    leases.wake();
  }

  /** A sandbox without an end would stay for ever: one that cannot get its lease goes at once. */
  async function beginLease(record: SandboxRecord, lease: SandboxLease): Promise<void> {
    try {
      saveLease(record, lease);
    } catch (error) {
      await sandboxApi.removeSandbox(sandboxContext, record);
      throw error;
    }
  }

  function describeFailure(error: unknown) {
    const { status, message } = noteFailure(server, "fork", error);
    return { error: { code: status, message } };
  }

  async function branch(record: SandboxRecord, name: string | undefined): Promise<SnapshotRecord> {
    const options = name === undefined ? {} : { name: parseObjectName(name) };
    const writing = await sandboxApi.branchSandbox(sandboxContext, record.id, options);
    observePause(writing);
    return writing.durable;
  }

  function observePause({ pause }: WritingSnapshot): void {
    server.metrics.pauseSeconds.observe(pause.totalMs / 1000);
  }

  function describe(record: SandboxRecord) {
    return {
      templateID: leaseOf(record).templateId,
      sandboxID: encodeE2bId(record.id),
      ...(record.name === undefined ? {} : { alias: record.name }),
      clientID: "keyframe",
      envdVersion,
      envdAccessToken: sandboxToken(server.secret, record.id),
    };
  }

  function describeInFull(record: SandboxRecord) {
    const { envdAccessToken: _token, ...facts } = describe(record);
    const lease = leaseOf(record);
    return {
      ...facts,
      startedAt: new Date(record.createdAtMs).toISOString(),
      endAt: new Date(lease.endsAtMs).toISOString(),
      state: stateOf(record),
      cpuCount: record.shape.cpus,
      memoryMB: record.shape.memoryMiB,
      diskSizeMB: Math.floor(record.shape.diskBytes / 1024 ** 2),
      metadata: lease.metadata,
      allowInternetAccess: record.network !== undefined,
      lifecycle: { autoResume: false, onTimeout: lease.onTimeout },
    };
  }

  function listed(c: RequestContext, defaultStates: readonly string[]) {
    const query = listQuery.parse(c.req.query());
    const states = c.req.queries("state")?.flatMap((text) => text.split(",")) ?? defaultStates;
    const wanted = [...new URLSearchParams(query.metadata ?? "")].map(
      ([name, value]) => [decoded(name), decoded(value)] as const,
    );
    const all = sandboxApi
      .listSandboxes(sandboxContext)
      .filter((record) => states.includes(stateOf(record) ?? ""))
      .filter((record) => {
        const { metadata, templateId } = leaseOf(record);
        return (
          wanted.every(([name, value]) => metadata[name] === value) &&
          (query.template === undefined || templateId === query.template) &&
          (query.startedAfter === undefined || record.createdAtMs > Date.parse(query.startedAfter))
        );
      });
    if (query.order === "desc") all.reverse();
    const { items, nextToken } = page(all, query);
    return { items: items.map(describeInFull), nextToken };
  }
}

const farFutureMs = Date.UTC(9999, 11, 31);

/** Items behind the one that the token names; a token whose item is gone begins again. */
function page<T extends { readonly id: string }>(
  all: readonly T[],
  query: { readonly limit: number; readonly nextToken?: string | undefined },
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const from = all.findIndex((each) => each.id === query.nextToken) + 1;
  const items = all.slice(from, from + query.limit);
  return { items, nextToken: from + query.limit < all.length ? items.at(-1)?.id : undefined };
}

function templateOf(record: SandboxRecord): string {
  return record.base ?? record.image ?? record.id;
}

function describeSnapshot(record: SnapshotRecord) {
  return { snapshotID: record.id, names: record.name === undefined ? [] : [record.name] };
}

/** The package encodes names and values once more than the query needs. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // encoded once only
  }
}

function noted(server: ServerContext, started: StartedSandbox): StartedSandbox {
  server.metrics.readySeconds.observe(started.readyMs / 1000);
  for (const problem of started.problems) server.sandboxContext.warn(`${started.record.id}: ${problem}`);
  return started;
}
