import { z } from "@hono/zod-openapi";
import type { ServerContext } from "../context/context.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { jsonAnswer, jsonBody, route, sandboxParam } from "./route.ts";

const port = z.int().min(1).max(65_535);
const forwardSchema = z.object({ hostPort: z.number(), guestPort: z.number() }).openapi("Port");
const openSchema = z.object({ guestPort: port, hostPort: port.optional() }).strict().openapi("OpenPort");
const closeQuery = z.object({ hostPort: z.coerce.number().pipe(port).optional() });
const portParam = sandboxParam.extend({
  guestPort: z.coerce
    .number()
    .pipe(port)
    .openapi({ param: { name: "guestPort", in: "path" }, type: "integer" }),
});

/** `keyframe sandbox port`. */
export function addPortRoutes(app: ServerApp, { sandboxContext, sandboxApi }: ServerContext): void {
  const tags = ["sandboxes"];

  app.openapi(
    route({
      method: "get",
      path: "/v1/sandboxes/{sandbox}/ports",
      summary: "List the ports of the server's machine that lead into a sandbox",
      tags,
      request: { params: sandboxParam },
      responses: { 200: jsonAnswer(z.array(forwardSchema), "All of them") },
    }),
    (c) => {
      const record = sandboxApi.findSandbox(sandboxContext, c.req.valid("param").sandbox);
      return c.json([...sandboxApi.listPorts(sandboxContext, record)], 200);
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/sandboxes/{sandbox}/ports",
      summary: "Let a port of the server's 127.0.0.1 lead to one of the guest's",
      tags,
      request: { params: sandboxParam, body: jsonBody(openSchema) },
      responses: { 201: jsonAnswer(forwardSchema, "The port") },
    }),
    async (c) => {
      const { guestPort, hostPort } = c.req.valid("json");
      const record = sandboxApi.findSandbox(sandboxContext, c.req.valid("param").sandbox);
      const wanted = { guestPort, ...(hostPort === undefined ? {} : { hostPort }) };
      return c.json(await sandboxApi.openPort(sandboxContext, record, wanted), 201);
    },
  );

  app.openapi(
    route({
      method: "delete",
      path: "/v1/sandboxes/{sandbox}/ports/{guestPort}",
      summary: "End the forwarding to a port of the guest's",
      tags,
      request: { params: portParam, query: closeQuery },
      responses: { 200: jsonAnswer(z.array(forwardSchema), "What ended") },
    }),
    async (c) => {
      const { sandbox, guestPort } = c.req.valid("param");
      const { hostPort } = c.req.valid("query");
      const record = sandboxApi.findSandbox(sandboxContext, sandbox);
      const wanted = { guestPort, ...(hostPort === undefined ? {} : { hostPort }) };
      return c.json([...(await sandboxApi.closePort(sandboxContext, record, wanted))], 200);
    },
  );
}
