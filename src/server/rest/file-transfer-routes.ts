import { z } from "@hono/zod-openapi";
import { writeGuestFile } from "../../sandbox/guest/copy-files.ts";
import { listGuestFolder, makeGuestFolder, removeGuestFile } from "../../sandbox/guest/files.ts";
import type { ServerContext } from "../context/context.ts";
import { guestFileBody } from "../context/guest-file-body.ts";
import { guestText, userName } from "../e2b/envd.ts";
import { streamBody } from "../requests/request-body.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { bytesAnswer, jsonAnswer, route, sandboxParam } from "./route.ts";

const fileQuery = z.object({
  path: guestText.min(1),
  user: userName.optional(),
});
const putQuery = fileQuery.extend({
  /** Permission bits, octal. */
  mode: z
    .string()
    .regex(/^[0-7]{3,4}$/, "not an octal mode")
    .optional(),
});
const listQuery = fileQuery.extend({ depth: z.coerce.number().int().min(1).max(64).default(1) });

const entrySchema = z
  .object({
    kind: z.enum(["file", "folder", "symlink", "other"]),
    path: z.string(),
    sizeBytes: z.number(),
    mode: z.number(),
    modifiedAtMs: z.number(),
    owner: z.string(),
    group: z.string(),
    linkTarget: z.string(),
  })
  .openapi("GuestFile");

/** Files of guests: bodies are streams, as fast as the slower side. */
export function addFileTransferRoutes(app: ServerApp, server: ServerContext): void {
  addGuestFileRoutes(app, server);
  addGuestDirectoryRoutes(app, server);
}

function addGuestFileRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi, sessions } = server;
  const find = (sandbox: string) => sandboxApi.findSandbox(sandboxContext, sandbox);
  const tags = ["files"];

  app.openapi(
    route({
      method: "get",
      path: "/v1/sandboxes/{sandbox}/files",
      summary: "Read a file",
      tags,
      request: { params: sandboxParam, query: fileQuery },
      responses: { 200: bytesAnswer },
    }),
    async (c) => {
      const { path, user } = c.req.valid("query");
      const held = await sessions.hold(find(c.req.valid("param").sandbox));
      const { body } = await guestFileBody(held.guest, path, { ...userOption(user), done: held.release });
      c.set("streams", true);
      return c.body(body, 200, { "content-type": "application/octet-stream" });
    },
  );

  app.openapi(
    route({
      method: "put",
      path: "/v1/sandboxes/{sandbox}/files",
      summary: "Write a file: all of it or nothing",
      description: "The body is the content. Directories above it are made.",
      tags,
      request: {
        params: sandboxParam,
        query: putQuery,
        body: {
          content: { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } },
        },
      },
      responses: { 204: { description: "It is written" } },
    }),
    async (c) => {
      const { path, user, mode } = c.req.valid("query");
      const options = {
        ...userOption(user),
        ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
      };
      await sessions.use(find(c.req.valid("param").sandbox), (guest) =>
        writeGuestFile(guest, path, streamBody(c.req.raw), options),
      );
      return c.body(null, 204);
    },
  );

  app.openapi(
    route({
      method: "delete",
      path: "/v1/sandboxes/{sandbox}/files",
      summary: "Remove a file, or a directory with all below it",
      tags,
      request: { params: sandboxParam, query: fileQuery },
      responses: { 204: { description: "It is gone" } },
    }),
    async (c) => {
      const { path, user } = c.req.valid("query");
      await sessions.use(find(c.req.valid("param").sandbox), (guest) =>
        removeGuestFile(guest, path, userOption(user)),
      );
      return c.body(null, 204);
    },
  );
}

function addGuestDirectoryRoutes(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi, sessions } = server;
  const find = (sandbox: string) => sandboxApi.findSandbox(sandboxContext, sandbox);
  const tags = ["files"];

  app.openapi(
    route({
      method: "get",
      path: "/v1/sandboxes/{sandbox}/folders",
      summary: "List a directory",
      tags,
      request: { params: sandboxParam, query: listQuery },
      responses: {
        200: jsonAnswer(z.array(entrySchema), "Each directory before what it holds"),
      },
    }),
    async (c) => {
      const { path, user, depth } = c.req.valid("query");
      const entries = await sessions.use(find(c.req.valid("param").sandbox), (guest) =>
        listGuestFolder(guest, path, { ...userOption(user), depth }),
      );
      return c.json(entries, 200);
    },
  );

  app.openapi(
    route({
      method: "put",
      path: "/v1/sandboxes/{sandbox}/folders",
      summary: "Make a directory, with those above it",
      tags,
      request: { params: sandboxParam, query: fileQuery },
      responses: { 201: jsonAnswer(entrySchema, "The directory") },
    }),
    async (c) => {
      const { path, user } = c.req.valid("query");
      const made = await sessions.use(find(c.req.valid("param").sandbox), (guest) =>
        makeGuestFolder(guest, path, userOption(user)),
      );
      return c.json(made, 201);
    },
  );
}

function userOption(user: string | undefined): { readonly user?: string } {
  return user === undefined ? {} : { user };
}
