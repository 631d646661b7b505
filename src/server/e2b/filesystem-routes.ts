import { posix } from "node:path";
import * as z from "zod";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import {
  type GuestFileOptions,
  listGuestFolder,
  makeGuestFolder,
  moveGuestFile,
  readGuestFileInfo,
  removeGuestFile,
} from "../../sandbox/guest/files.ts";
import type { GuestFileInfo } from "../../sandbox/guest/message.ts";
import type { ServerContext } from "../context/context.ts";
import { readSmallBody } from "../requests/request-body.ts";
import type { RequestContext, ServerApp } from "../requests/request-env.ts";
import { parseMessage } from "./connect-protocol.ts";
import { guestText, sandboxOfRequest, userOfRequest } from "./envd.ts";

const maxMessageBytes = 256 * 1024;
const maxDepth = 64;

const path = guestText.min(1);
const pathRequest = z.object({ path });
const listRequest = pathRequest.extend({ depth: z.int().min(0).max(maxDepth).default(1) });
const moveRequest = z.object({ source: path, destination: path });

/** `filesystem.Filesystem` of E2B's program in the sandbox, without watching. */
export function addFilesystemRoutes(app: ServerApp, server: ServerContext): void {
  const unary = <T>(
    method: string,
    schema: z.ZodType<T>,
    answer: (guest: GuestChannel, request: T, options: GuestFileOptions) => Promise<object>,
  ) =>
    app.post(`/filesystem.Filesystem/${method}`, async (c: RequestContext) => {
      const message = schema.parse(parseMessage(await readSmallBody(c.req.raw, maxMessageBytes)));
      const record = sandboxOfRequest(server, c.req);
      const options = userOfRequest(c.req);
      return c.json(await server.sessions.use(record, (guest) => answer(guest, message, options)));
    });

  unary("Stat", pathRequest, async (guest, request, options) => ({
    entry: describeEntry(await readGuestFileInfo(guest, request.path, options)),
  }));
  unary("MakeDir", pathRequest, async (guest, request, options) => ({
    entry: describeEntry(await makeGuestFolder(guest, request.path, options)),
  }));
  unary("Move", moveRequest, async (guest, { source, destination }, options) => ({
    entry: describeEntry(await moveGuestFile(guest, { from: source, to: destination }, options)),
  }));
  unary("ListDir", listRequest, async (guest, request, options) => ({
    entries: (
      await listGuestFolder(guest, request.path, { ...options, depth: Math.max(1, request.depth) })
    ).map(describeEntry),
  }));
  unary("Remove", pathRequest, async (guest, request, options) => {
    await removeGuestFile(guest, request.path, options);
    return {};
  });
}

const entryTypes = {
  file: "FILE_TYPE_FILE",
  folder: "FILE_TYPE_DIRECTORY",
  symlink: "FILE_TYPE_SYMLINK",
  other: "FILE_TYPE_UNSPECIFIED",
} as const;

function describeEntry(info: GuestFileInfo): object {
  return {
    name: posix.basename(info.path),
    type: entryTypes[info.kind],
    path: info.path,
    size: String(info.sizeBytes),
    mode: info.mode,
    permissions: permissionText(info),
    owner: info.owner,
    group: info.group,
    modifiedTime: new Date(info.modifiedAtMs).toISOString(),
    ...(info.linkTarget === "" ? {} : { symlinkTarget: info.linkTarget }),
  };
}

/** "-rw-r--r--", "drwxr-xr-x", "Lrwxrwxrwx". */
function permissionText(info: GuestFileInfo): string {
  const kind = { file: "-", folder: "d", symlink: "L", other: "?" }[info.kind];
  const bits = [6, 3, 0].map((shift) => {
    const value = info.mode >> shift;
    return `${value & 4 ? "r" : "-"}${value & 2 ? "w" : "-"}${value & 1 ? "x" : "-"}`;
  });
  return kind + bits.join("");
}
