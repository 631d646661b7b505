import { z } from "@hono/zod-openapi";
import { describeSandbox } from "../../sandbox/lifecycle/describe-sandbox.ts";
import { defaultPoolIdleMs } from "../../sandbox/limits.ts";
import type { ServerContext } from "../context/context.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { jsonAnswer, jsonBody, route, snapshotParam } from "./route.ts";
import { lifetimeSeconds, sandboxSchema } from "./schemas.ts";

const poolSchema = z
  .object({
    /** 0 ends those that are ready. */
    size: z.int().min(0),
    /** A machine that nobody has taken ends after this; 1800 by default. */
    idleSeconds: lifetimeSeconds.optional(),
  })
  .strict()
  .openapi("Pool");

/** `keyframe sandbox pool`. */
export function addPoolRoute(app: ServerApp, { sandboxContext, sandboxApi }: ServerContext): void {
  app.openapi(
    route({
      method: "put",
      path: "/v1/snapshots/{snapshot}/pool",
      summary: "Keep machines ready for a snapshot: starts take one in milliseconds",
      tags: ["snapshots"],
      request: { params: snapshotParam, body: jsonBody(poolSchema) },
      responses: { 200: jsonAnswer(z.array(sandboxSchema), "The machines that are ready") },
    }),
    async (c) => {
      const { size, idleSeconds } = c.req.valid("json");
      const record = sandboxApi.findSnapshot(sandboxContext, c.req.valid("param").snapshot);
      const ready = await sandboxApi.fillPool(
        sandboxContext,
        sandboxApi.mustBeReady(sandboxContext, record),
        {
          size,
          idleMs: idleSeconds === undefined ? defaultPoolIdleMs : Math.ceil(idleSeconds * 1000),
        },
      );
      return c.json(
        ready.map((each) => describeSandbox(sandboxContext, each)),
        200,
      );
    },
  );
}
