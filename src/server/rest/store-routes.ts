import { z } from "@hono/zod-openapi";
import { parseObjectName } from "../../sandbox/ids.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import type { ServerContext } from "../context/context.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { jsonAnswer, jsonBody, route, snapshotParam } from "./route.ts";
import { snapshotSchema } from "./schemas.ts";

const pushSchema = z.object({ store: z.string(), name: z.string().optional() }).strict().openapi("Push");
const pushedSchema = z
  .object({
    id: z.string(),
    sent: z.array(z.string()),
    present: z.array(z.string()),
    storedBytes: z.number(),
  })
  .openapi("Pushed");
const pullSchema = z
  .object({
    store: z.string(),
    snapshot: z.string(),
    name: z.string().optional(),
    /** Take records and device state only: what starts reads the rest from the store. */
    lazy: z.boolean().optional(),
  })
  .strict()
  .openapi("Pull");

/** `keyframe snapshot push` and `pull`, with the stores that the server was started with. */
export function addStoreRoutes(app: ServerApp, { sandboxContext, sandboxApi, stores }: ServerContext): void {
  const tags = ["snapshots"];

  app.openapi(
    route({
      method: "get",
      path: "/v1/stores",
      summary: "List the stores that snapshots can be sent to and fetched from",
      tags,
      responses: { 200: jsonAnswer(z.array(z.string()), "Their names") },
    }),
    (c) => c.json([...stores.names], 200),
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/snapshots/{snapshot}/push",
      summary: "Send a snapshot and its chain to a store: only what is missing there",
      tags,
      request: { params: snapshotParam, body: jsonBody(pushSchema) },
      responses: { 200: jsonAnswer(pushedSchema, "What was sent") },
    }),
    async (c) => {
      const { store, name } = c.req.valid("json");
      const found = sandboxApi.findSnapshot(sandboxContext, c.req.valid("param").snapshot);
      const snapshot = sandboxApi.mustBeReady(sandboxContext, found);
      const pushed = await stores.use(store, ({ repository, signal }) =>
        sandboxApi.pushSnapshot(sandboxContext, repository, snapshot, {
          name: name === undefined ? snapshot.name : parseObjectName(name),
          signal,
        }),
      );
      return c.json({ ...pushed, sent: [...pushed.sent], present: [...pushed.present] }, 200);
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/snapshots/pull",
      summary: "Fetch a snapshot and its chain from a store",
      tags,
      request: { body: jsonBody(pullSchema) },
      responses: { 201: jsonAnswer(snapshotSchema, "The snapshot") },
    }),
    async (c) => {
      const { store, snapshot, name, lazy = false } = c.req.valid("json");
      const taken = await stores.use(store, ({ repository, location, signal }) => {
        const options = {
          snapshot,
          name: name === undefined ? undefined : parseObjectName(name),
          signal,
          onProgress: () => undefined,
        };
        return lazy
          ? sandboxApi.pullLazily(sandboxContext, repository, { ...options, storeLocation: location })
          : sandboxApi.pullSnapshot(sandboxContext, repository, options);
      });
      return c.json(describeSnapshot(sandboxContext, taken), 201);
    },
  );
}
