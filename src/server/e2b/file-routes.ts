import { posix } from "node:path";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";
import { writeGuestFile } from "../../sandbox/guest/copy-files.ts";
import { readGuestFileInfo } from "../../sandbox/guest/files.ts";
import type { ServerContext } from "../context/context.ts";
import { guestFileBody } from "../context/guest-file-body.ts";
import { streamBody } from "../requests/request-body.ts";
import type { RequestContext, ServerApp } from "../requests/request-env.ts";
import { guestText, sandboxOfRequest, userName, userOfRequest } from "./envd.ts";
import { multipartBoundary, parseMultipart } from "./multipart.ts";

const fileQuery = z.object({ path: guestText.min(1).optional(), username: userName.optional() });

/** `/files` and `/health` of E2B's program in the sandbox. */
export function addFileRoutes(app: ServerApp, server: ServerContext): void {
  app.get("/health", (c) => {
    sandboxOfRequest(server, c.req);
    return c.body(null, 204);
  });

  app.get("/files", async (c) => {
    const { path, user } = fileRequest(c);
    if (path === undefined) throw new KeyframeError("invalid-input", "the request names no path");
    const held = await server.sessions.hold(sandboxOfRequest(server, c.req));
    const { body, isEmpty } = await guestFileBody(held.guest, path, { ...user, done: held.release });
    c.set("streams", true);
    return c.body(body, 200, {
      "content-type": "application/octet-stream",
      ...(isEmpty ? { "content-length": "0" } : {}),
    });
  });

  app.post("/files", async (c) => {
    const { path, user } = fileRequest(c);
    const record = sandboxOfRequest(server, c.req);
    const written = await server.sessions.use(record, async (guest) => {
      const paths: string[] = [];
      const write = async (target: string, content: Readable) => {
        await writeGuestFile(guest, target, content, user);
        paths.push((await readGuestFileInfo(guest, target, user)).path);
      };
      const boundary = multipartBoundary(c.req.header("content-type") ?? "");
      if (boundary === undefined) {
        if (path === undefined) throw new KeyframeError("invalid-input", "the request names no path");
        await write(path, uploadedContent(c));
        return paths;
      }
      for await (const part of parseMultipart(streamBody(c.req.raw), boundary)) {
        if (part.name !== "file") continue;
        await write(guestText.min(1).parse(path ?? part.fileName ?? ""), Readable.from(part.content));
      }
      return paths;
    });
    return c.json(written.map((each) => ({ name: posix.basename(each), type: "file", path: each })));
  });
}

function fileRequest(c: RequestContext): { path: string | undefined; user: { readonly user?: string } } {
  const { path, username } = fileQuery.parse(c.req.query());
  return { path, user: username === undefined ? userOfRequest(c.req) : { user: username } };
}

function uploadedContent(c: RequestContext): Readable {
  const body = streamBody(c.req.raw);
  const encoding = c.req.header("content-encoding");
  if (encoding === undefined || encoding === "identity") return body;
  if (encoding !== "gzip")
    throw new KeyframeError("unsupported", `content encoding ${encoding} is not supported`);
  const unpacked = createGunzip();
  body.on("error", (error) => unpacked.destroy(error));
  return body.pipe(unpacked);
}
