import { z } from "@hono/zod-openapi";
import { parseObjectName } from "../../sandbox/ids.ts";
import { describeGcPlan } from "../../sandbox/removal/collect-garbage.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import { buildSnapshotTree } from "../../sandbox/snapshot/tree.ts";
import type { ServerContext } from "../context/context.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { jsonAnswer, optionalJsonBody, queryFlag, route, snapshotParam } from "./route.ts";
import { gcSchema, nameSchema, snapshotSchema, snapshotTreeSchema } from "./schemas.ts";

const removedSchema = z.object({ snapshots: z.array(z.string()), sandboxes: z.array(z.string()) });
const removeQuery = z.object({ cascade: queryFlag, force: queryFlag });
const verifiedSchema = z.object({
  ok: z.boolean(),
  problems: z.array(z.object({ snapshot: z.string(), problem: z.string() })),
});
const collectedSchema = z.object({
  dryRun: z.boolean(),
  removed: z.record(z.string(), z.array(z.string()).readonly()),
});

/** Snapshots: all that `keyframe snapshot` does, but for packs. */
export function addSnapshotRoutes(app: ServerApp, server: ServerContext): void {
  addSnapshotListRoutes(app, server);
  addSnapshotWorkRoutes(app, server);
}

function addSnapshotListRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  const tags = ["snapshots"];
  const find = (text: string) => sandboxApi.findSnapshot(sandboxContext, text);

  app.openapi(
    route({
      method: "get",
      path: "/v1/snapshots",
      summary: "List the snapshots",
      tags,
      responses: { 200: jsonAnswer(z.array(snapshotSchema), "All of them, oldest first") },
    }),
    (c) =>
      c.json(
        sandboxApi.listOwnSnapshots(sandboxContext).map((record) => describeSnapshot(sandboxContext, record)),
        200,
      ),
  );

  app.openapi(
    route({
      method: "get",
      path: "/v1/snapshot-tree",
      summary: "Show snapshots with their parents",
      tags,
      responses: { 200: jsonAnswer(z.array(snapshotTreeSchema), "The roots") },
    }),
    (c) => c.json(buildSnapshotTree(sandboxApi.listSnapshots(sandboxContext)), 200),
  );

  app.openapi(
    route({
      method: "get",
      path: "/v1/snapshots/{snapshot}",
      summary: "Show a snapshot",
      tags,
      request: { params: snapshotParam },
      responses: { 200: jsonAnswer(snapshotSchema, "The snapshot") },
    }),
    (c) => c.json(describeSnapshot(sandboxContext, find(c.req.valid("param").snapshot)), 200),
  );

  app.openapi(
    route({
      method: "delete",
      path: "/v1/snapshots/{snapshot}",
      summary: "Remove a snapshot",
      description:
        "Refuses while something depends on it or runs from it, unless `cascade` or `force` say otherwise.",
      tags,
      request: { params: snapshotParam, query: removeQuery },
      responses: { 200: jsonAnswer(removedSchema, "What went") },
    }),
    async (c) => {
      const plan = await sandboxApi.removeSnapshot(
        sandboxContext,
        find(c.req.valid("param").snapshot),
        c.req.valid("query"),
      );
      const ids = (all: readonly { readonly id: string }[]) => all.map((each) => each.id);
      return c.json({ snapshots: ids(plan.snapshots), sandboxes: ids(plan.sandboxes) }, 200);
    },
  );
}

/** What makes a snapshot, checks them, or removes what nothing uses. */
function addSnapshotWorkRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  const tags = ["snapshots"];
  const find = (text: string) => sandboxApi.findSnapshot(sandboxContext, text);

  app.openapi(
    route({
      method: "post",
      path: "/v1/snapshots/{snapshot}/flatten",
      summary: "Create a standalone snapshot",
      tags,
      request: { params: snapshotParam, body: optionalJsonBody(nameSchema) },
      responses: { 201: jsonAnswer(snapshotSchema, "The new snapshot") },
    }),
    async (c) => {
      const { name } = c.req.valid("json");
      const options = name === undefined ? {} : { name: parseObjectName(name) };
      const record = sandboxApi.mustBeReady(sandboxContext, find(c.req.valid("param").snapshot));
      return c.json(
        describeSnapshot(sandboxContext, await sandboxApi.flattenSnapshot(sandboxContext, record, options)),
        201,
      );
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/snapshots/{snapshot}/verify",
      summary: "Check everything a snapshot is made of",
      tags,
      request: { params: snapshotParam },
      responses: { 200: jsonAnswer(verifiedSchema, "What does not match") },
    }),
    async (c) => {
      const problems = await sandboxApi.verifySnapshot(sandboxContext, find(c.req.valid("param").snapshot));
      return c.json({ ok: problems.length === 0, problems: [...problems] }, 200);
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/gc",
      summary: "Remove what nothing uses",
      tags,
      request: { body: optionalJsonBody(gcSchema) },
      responses: { 200: jsonAnswer(collectedSchema, "What went, or would") },
    }),
    async (c) => {
      const { olderThanSeconds, keep, dryRun = false } = c.req.valid("json");
      const plan = await sandboxApi.collectSandboxGarbage(sandboxContext, {
        ...(olderThanSeconds === undefined ? {} : { olderThanMs: olderThanSeconds * 1000 }),
        ...(keep === undefined ? {} : { keep }),
        dryRun,
      });
      return c.json({ dryRun, removed: describeGcPlan(plan) }, 200);
    },
  );
}
