import { z } from "@hono/zod-openapi";
import { parseObjectName } from "../../sandbox/ids.ts";
import type { WritingSnapshot } from "../../sandbox/lifecycle/branch.ts";
import { describeSandbox } from "../../sandbox/lifecycle/describe-sandbox.ts";
import type { ForkResult } from "../../sandbox/lifecycle/start-sandbox.ts";
import { networkOf } from "../../sandbox/network/rules.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import { branchIntoChildren } from "../../workflows/branch-into-children.ts";
import type { ServerContext } from "../context/context.ts";
import { noteFailure } from "../context/note-failure.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { jsonAnswer, jsonBody, optionalJsonBody, route, sandboxParam } from "./route.ts";
import {
  branchSchema,
  createSchema,
  forkSchema,
  resumeSchema,
  sandboxSchema,
  snapshotRequestSchema,
  snapshotSchema,
  startedSchema,
} from "./schemas.ts";

/** Sandboxes: all that `keyframe sandbox` does, but for commands and files. */
export function addSandboxRoutes(app: ServerApp, server: ServerContext): void {
  addLifeRoutes(app, server);
  addStopRoutes(app, server);
  addBranchRoutes(app, server);
}

function addLifeRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  const { find, describeResults } = sandboxSteps(server);
  const tags = ["sandboxes"];

  app.openapi(
    route({
      method: "get",
      path: "/v1/sandboxes",
      summary: "List the sandboxes",
      tags,
      responses: { 200: jsonAnswer(z.array(sandboxSchema), "All of them, oldest first") },
    }),
    (c) =>
      c.json(
        sandboxApi.listSandboxes(sandboxContext).map((record) => describeSandbox(sandboxContext, record)),
        200,
      ),
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/sandboxes",
      summary: "Start a sandbox from an image, or some from a snapshot",
      tags,
      request: { body: jsonBody(createSchema) },
      responses: { 201: jsonAnswer(z.array(startedSchema), "One result for each, in order") },
    }),
    async (c) => {
      const { ttlSeconds, idleSeconds, network, name, ...request } = c.req.valid("json");
      const results = await sandboxApi.createSandboxes(sandboxContext, {
        ...present(request),
        from: request.from,
        ...startOptions({ ttlSeconds, idleSeconds, network, name }),
        accelerator: server.accelerator,
        progress: () => undefined,
      });
      return c.json(describeResults(results), 201);
    },
  );

  app.openapi(
    route({
      method: "get",
      path: "/v1/sandboxes/{sandbox}",
      summary: "Show a sandbox",
      tags,
      request: { params: sandboxParam },
      responses: { 200: jsonAnswer(sandboxSchema, "The sandbox") },
    }),
    (c) => c.json(describeSandbox(sandboxContext, find(c.req.valid("param").sandbox)), 200),
  );

  app.openapi(
    route({
      method: "delete",
      path: "/v1/sandboxes/{sandbox}",
      summary: "End a sandbox and remove it",
      tags,
      request: { params: sandboxParam },
      responses: { 204: { description: "It is gone" } },
    }),
    async (c) => {
      await sandboxApi.removeSandbox(sandboxContext, find(c.req.valid("param").sandbox));
      return c.body(null, 204);
    },
  );

  app.openapi(
    route({
      method: "get",
      path: "/v1/sandboxes/{sandbox}/logs",
      summary: "Show a sandbox's console and hypervisor log",
      tags,
      request: { params: sandboxParam },
      responses: {
        200: jsonAnswer(z.object({ console: z.string(), hypervisor: z.string() }), "The ends of both"),
      },
    }),
    (c) => c.json(sandboxApi.readSandboxLogs(sandboxContext, find(c.req.valid("param").sandbox)), 200),
  );
}

function addStopRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  const { find, branch, describeResult } = sandboxSteps(server);
  const tags = ["sandboxes"];

  app.openapi(
    route({
      method: "post",
      path: "/v1/sandboxes/{sandbox}/stop",
      summary: "Save a sandbox and end its machine",
      tags,
      request: { params: sandboxParam },
      responses: { 200: jsonAnswer(sandboxSchema, "The stopped sandbox") },
    }),
    async (c) => {
      const stopped = await sandboxApi.suspendSandbox(sandboxContext, find(c.req.valid("param").sandbox));
      return c.json(describeSandbox(sandboxContext, stopped), 200);
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/sandboxes/{sandbox}/resume",
      summary: "Continue a stopped sandbox",
      tags,
      request: { params: sandboxParam, body: optionalJsonBody(resumeSchema) },
      responses: { 200: jsonAnswer(startedSchema, "The running sandbox") },
    }),
    async (c) => {
      const record = find(c.req.valid("param").sandbox);
      const sandbox = await sandboxApi.resumeSandbox(
        sandboxContext,
        record,
        startOptions(c.req.valid("json")),
      );
      return c.json(describeResult({ ok: true, sandbox }), 200);
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/sandboxes/{sandbox}/snapshots",
      summary: "Snapshot a running sandbox without stopping it",
      tags,
      request: { params: sandboxParam, body: optionalJsonBody(snapshotRequestSchema) },
      responses: {
        201: jsonAnswer(snapshotSchema, "The snapshot"),
        202: jsonAnswer(snapshotSchema, "The sandbox runs again and the snapshot is being written"),
      },
    }),
    async (c) => {
      const { name, wait } = c.req.valid("json");
      const writing = await branch(c.req.valid("param").sandbox, name);
      if (wait !== false) return c.json(describeSnapshot(sandboxContext, await writing.durable), 201);
      server.background.add(`snapshot ${writing.id}`, writing.durable);
      const described = describeSnapshot(sandboxContext, sandboxApi.findSnapshot(sandboxContext, writing.id));
      return c.json({ ...described, pauseMs: writing.pause.totalMs, pause: writing.pause }, 202);
    },
  );
}

function addBranchRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  const { find, observePause, describeResults } = sandboxSteps(server);
  const tags = ["sandboxes"];

  app.openapi(
    route({
      method: "post",
      path: "/v1/sandboxes/{sandbox}/branch",
      summary: "Save a running sandbox and start children of it",
      tags,
      request: { params: sandboxParam, body: optionalJsonBody(branchSchema) },
      responses: {
        201: jsonAnswer(
          z.object({ snapshot: snapshotSchema, children: z.array(startedSchema) }),
          "The snapshot, and one result for each child",
        ),
      },
    }),
    async (c) => {
      const { snapshotName, count, env, ...rest } = c.req.valid("json");
      const request = {
        ...(snapshotName === undefined ? {} : { snapshotName: parseObjectName(snapshotName) }),
        ...present({ env, count }),
        ...startOptions(rest),
        onPaused: observePause,
      };
      const { snapshot, children } = await branchIntoChildren(
        sandboxContext,
        find(c.req.valid("param").sandbox),
        request,
        sandboxApi,
      );
      return c.json(
        { snapshot: describeSnapshot(sandboxContext, snapshot), children: describeResults(children) },
        201,
      );
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/snapshots/{snapshot}/fork",
      summary: "Start children of a snapshot",
      tags: ["snapshots"],
      request: { params: z.object({ snapshot: z.string() }), body: optionalJsonBody(forkSchema) },
      responses: { 201: jsonAnswer(z.array(startedSchema), "One result for each child") },
    }),
    async (c) => {
      const { count, env, ...rest } = c.req.valid("json");
      const record = sandboxApi.findSnapshot(sandboxContext, c.req.valid("param").snapshot);
      const children = await sandboxApi.forkSnapshot(
        sandboxContext,
        sandboxApi.mustBeReady(sandboxContext, record),
        {
          ...present({ env }),
          ...startOptions(rest),
          count: count ?? 1,
        },
      );
      return c.json(describeResults(children), 201);
    },
  );
}

/** What the routes do in the same way. */
function sandboxSteps(server: ServerContext) {
  const { sandboxContext, sandboxApi } = server;

  function find(text: string) {
    return sandboxApi.findSandbox(sandboxContext, text);
  }

  async function branch(sandbox: string, name: string | undefined) {
    const options = name === undefined ? {} : { name: parseObjectName(name) };
    const writing = await sandboxApi.branchSandbox(sandboxContext, find(sandbox).id, options);
    observePause(writing);
    return writing;
  }

  function observePause({ pause }: WritingSnapshot): void {
    server.metrics.pauseSeconds.observe(pause.totalMs / 1000);
  }

  function describeResults(results: readonly ForkResult[]) {
    // nothing came of it: the reason is the request's
    const [first] = results;
    if (first?.ok === false && results.every((each) => !each.ok)) throw first.error;
    return results.map(describeResult);
  }

  function describeResult(result: ForkResult) {
    if (!result.ok) {
      const { status: _status, ...error } = noteFailure(server, "start", result.error);
      return { ok: false as const, error };
    }
    const { record, readyMs, problems } = result.sandbox;
    server.metrics.readySeconds.observe(readyMs / 1000);
    return {
      ok: true as const,
      ...describeSandbox(sandboxContext, record),
      readyMs,
      problems: [...problems],
    };
  }

  return { find, branch, observePause, describeResults, describeResult };
}

function startOptions(given: {
  readonly ttlSeconds?: number | undefined;
  readonly idleSeconds?: number | undefined;
  readonly network?: { readonly allow?: string[] | undefined } | undefined;
  readonly name?: string | undefined;
}) {
  return {
    ...(given.name === undefined ? {} : { name: parseObjectName(given.name) }),
    ...(given.ttlSeconds === undefined ? {} : { lifetimeMs: Math.round(given.ttlSeconds * 1000) }),
    ...(given.idleSeconds === undefined ? {} : { idleMs: Math.ceil(given.idleSeconds * 1000) }),
    ...(given.network === undefined ? {} : { network: networkOf(given.network.allow ?? []) }),
  };
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are undefined. */
function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
