import { z } from "@hono/zod-openapi";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import { stagingPath } from "../../sandbox/store/home.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { ServerContext } from "../context/context.ts";
import { streamBody } from "../requests/request-body.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { bytesAnswer, jsonAnswer, route, snapshotParam } from "./route.ts";
import { snapshotSchema } from "./schemas.ts";

const pieceBytes = 256 * 1024;

/** Snapshots as one file, out and in. Both are files in the home's staging directory meanwhile. */
export function addPackRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  const tags = ["snapshots"];

  app.openapi(
    route({
      method: "get",
      path: "/v1/snapshots/{snapshot}/pack",
      summary: "Read a snapshot and its ancestors as one file",
      tags,
      request: { params: snapshotParam },
      responses: { 200: bytesAnswer },
    }),
    async (c) => {
      const record = sandboxApi.findSnapshot(sandboxContext, c.req.valid("param").snapshot);
      const path = stagingPath(sandboxContext, "pack");
      try {
        const { sizeBytes } = await sandboxApi.packSnapshot(
          sandboxContext,
          sandboxApi.mustBeReady(sandboxContext, record),
          path,
        );
        c.set("streams", true);
        return c.body(fileBody(path), 200, {
          "content-type": "application/octet-stream",
          "content-length": String(sizeBytes),
        });
      } finally {
        sandboxContext.files.remove(path); // the open file goes on
      }
    },
  );

  app.openapi(
    route({
      method: "post",
      path: "/v1/snapshots/unpack",
      summary: "Import a packed snapshot",
      description: "The body is the pack. It is checked before anything of it is used.",
      tags,
      request: {
        query: z.object({ name: z.string().optional() }),
        body: {
          content: { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } },
        },
      },
      responses: { 201: jsonAnswer(snapshotSchema, "The snapshot") },
    }),
    async (c) => {
      const { name } = c.req.valid("query");
      const objectName = name === undefined ? undefined : parseObjectName(name);
      const path = stagingPath(sandboxContext, "upload");
      try {
        await receive(path, streamBody(c.req.raw));
        return c.json(
          describeSnapshot(sandboxContext, await sandboxApi.unpackSnapshot(sandboxContext, path, objectName)),
          201,
        );
      } catch (error) {
        // what is damaged came with the request
        if (isKeyframeError(error, "damaged"))
          throw new KeyframeError("invalid-input", error.message, { cause: error });
        throw error;
      } finally {
        sandboxContext.files.remove(path);
      }
    },
  );
}

async function receive(path: string, content: AsyncIterable<Buffer>): Promise<void> {
  const file = openDataFile(path, "create");
  try {
    let offset = 0;
    for await (const piece of content) {
      file.write(offset, piece);
      offset += piece.length;
    }
  } finally {
    file.close();
  }
}

function fileBody(path: string): ReadableStream<Uint8Array> {
  const file = openDataFile(path, "read");
  const size = file.sizeBytes();
  let offset = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (offset >= size) {
          file.close();
          return controller.close();
        }
        const piece = Buffer.alloc(Math.min(pieceBytes, size - offset));
        file.read(offset, piece);
        offset += piece.length;
        controller.enqueue(piece);
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  );
}
