import { z } from "@hono/zod-openapi";
import { KeyframeError } from "../../base/errors.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { parseRootfsSource } from "../../sandbox/image/source.ts";
import type { ImageRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";
import { noteFailure } from "../context/note-failure.ts";
import { createEventStream } from "../requests/event-stream.ts";
import { streamAliveMs } from "../requests/limits.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { jsonAnswer, jsonBody, linesAnswer, linesType, route } from "./route.ts";
import { errorSchema, imageBuildSchema, imageSchema } from "./schemas.ts";

const buildEventSchema = z
  .union([
    z.object({ type: z.literal("progress"), text: z.string() }),
    z.object({ type: z.literal("alive") }),
    z.object({ type: z.literal("done"), image: imageSchema }),
    errorSchema.extend({ type: z.literal("error") }),
  ])
  .openapi("BuildEvent");

/** Images that sandboxes start from. */
export function addImageRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  const tags = ["images"];

  app.openapi(
    route({
      method: "get",
      path: "/v1/images",
      summary: "List the images",
      tags,
      responses: { 200: jsonAnswer(z.array(imageSchema), "All of them, by name") },
    }),
    (c) =>
      c.json(
        sandboxApi
          .listSandboxImages(sandboxContext.files, sandboxContext.home.folder("images"))
          .map(describeImage),
        200,
      ),
  );

  app.openapi(
    route({
      method: "get",
      path: "/v1/images/{image}",
      summary: "Show an image",
      tags,
      request: { params: z.object({ image: z.string() }) },
      responses: { 200: jsonAnswer(imageSchema, "The image") },
    }),
    (c) =>
      c.json(
        describeImage(
          sandboxApi.findSandboxImage(sandboxContext, parseObjectName(c.req.valid("param").image)),
        ),
        200,
      ),
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/images",
      summary: "Make an image that sandboxes start from",
      description: "The build continues when its client disconnects.",
      tags,
      request: { body: jsonBody(imageBuildSchema) },
      responses: {
        200: linesAnswer(buildEventSchema, "One JSON event a line; the last is `done` or `error`"),
      },
    }),
    (c) => {
      const { name, from: sourceText = "debian:bookworm", packages = [] } = c.req.valid("json");
      const line = (event: object) => Buffer.from(`${JSON.stringify(event)}\n`);
      const options = {
        name: parseObjectName(name),
        source: parseRootfsSource(sandboxContext.files, sourceText, absolutePath),
        sourceText,
        packages,
        isRoot: server.isRoot,
      };
      const stream = createEventStream({ keepAlive: line({ type: "alive" }), everyMs: streamAliveMs });
      // a reader that has gone changes nothing
      const push = (event: object) => void stream.push(line(event)).catch(() => undefined);
      const work = sandboxApi
        .buildImage(sandboxContext, { ...options, progress: (text) => push({ type: "progress", text }) })
        .then(
          (image) => push({ type: "done", image: describeImage(image) }),
          (error: unknown) => {
            const { status: _status, ...described } = noteFailure(server, `image ${name}`, error);
            push({ type: "error", error: described });
          },
        )
        .finally(() => stream.end());
      server.background.add(`image ${name}`, work);
      c.set("streams", true);
      return c.newResponse(stream.body, 200, { "content-type": linesType });
    },
  );
}

function absolutePath(path: string): string {
  if (path.startsWith("/")) return path;
  throw new KeyframeError("invalid-input", `the path is not absolute: ${path}`, {
    hint: "use debian:<suite>, or an absolute path on the server's machine",
  });
}

function describeImage(image: ImageRecord) {
  const { name, layer, source, packages, createdAtMs } = image;
  return { name, layer, source, packages, createdAt: new Date(createdAtMs).toISOString() };
}
