import { createHash } from "node:crypto";
import type { HonoRequest } from "hono";
import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";
import type { SandboxId } from "../../sandbox/ids.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";
import { type AccessRules, sameText, sandboxToken } from "../requests/access.ts";
import { parseE2bId } from "./sandbox-ids.ts";

/** The version of E2B's program in the sandbox whose behaviour is followed: it decides what the package sends. */
export const envdVersion = "0.5.7";

const envdPort = "49983";

/** The sandbox that a request to the inside is for, which runs; else `guest-gone`. */
export function sandboxOfRequest(server: ServerContext, request: HonoRequest): SandboxRecord {
  const { id, port } = addressOf(server, request);
  if (port !== envdPort) throw new KeyframeError("unsupported", "ports of the guest are not reachable here");
  try {
    const record = server.sandboxApi.findSandbox(server.sandboxContext, id);
    server.sandboxApi.mustRun(server.sandboxContext, record);
    return record;
  } catch (cause) {
    // whatever it is instead: to this interface a sandbox runs or it does not
    throw new KeyframeError("guest-gone", "the sandbox is not running", { cause });
  }
}

/** By header, by a host name `<port>-<id>.<domain>`, or by whose signature it is: a signed address names no sandbox. */
function addressOf(
  server: ServerContext,
  request: HonoRequest,
): { readonly id: SandboxId; readonly port: string; readonly isSigned?: true } {
  const host = /^(\d{1,5})-([a-z0-9]+)\./.exec(request.header("host") ?? "");
  const id = parseE2bId(request.header("e2b-sandbox-id") ?? host?.[2] ?? "");
  const port = request.header("e2b-sandbox-port") ?? host?.[1] ?? envdPort;
  if (id !== undefined) return { id, port };
  const signer = server.sandboxApi
    .listSandboxes(server.sandboxContext)
    .find((each) => hasValidSignature(server, each.id, request));
  if (signer !== undefined) return { id: signer.id, port, isSigned: true };
  throw new KeyframeError("invalid-input", "the request does not name a sandbox", {
    hint: "set E2B_SANDBOX_URL, so that the package names it in a header",
  });
}

/** `unauthorized` unless the request has the sandbox's own token, or none is needed. */
export function checkSandboxAccess(
  server: ServerContext,
  rules: AccessRules,
  request: HonoRequest,
): "sandbox token" | "signature" | "none" {
  if (rules.token === undefined) return "none";
  const { id, isSigned } = addressOf(server, request);
  if (isSigned === true) return "signature";
  const token = request.header("x-access-token");
  if (token !== undefined && sameText(token, sandboxToken(server.secret, id))) {
    return "sandbox token";
  }
  if (hasValidSignature(server, id, request)) return "signature";
  throw new KeyframeError("unauthorized", "the request has no token of the sandbox");
}

/** As in the package's `uploadUrl` and `downloadUrl`: for one file, in one direction, perhaps until some second. */
function hasValidSignature(server: ServerContext, id: SandboxId, request: HonoRequest): boolean {
  const { path = "", username = "", signature, signature_expiration: expiration } = request.query();
  if (signature === undefined || request.path !== "/files") return false;
  if (expiration !== undefined && !(Number(expiration) * 1000 > server.sandboxContext.clock.nowMs()))
    return false;
  const operation = request.method === "GET" ? "read" : "write";
  const token = sandboxToken(server.secret, id);
  const signed = [path, operation, username, token, ...(expiration === undefined ? [] : [expiration])].join(
    ":",
  );
  const digest = createHash("sha256").update(signed).digest("base64").replace(/=+$/, "");
  return sameText(signature, `v1_${digest}`);
}

/** The guest's user: of `Authorization: Basic <user>:`; root by default. */
export function userOfRequest(request: HonoRequest): { readonly user?: string } {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(request.header("authorization") ?? "")?.[1];
  if (encoded === undefined) return {};
  const user = Buffer.from(encoded, "base64").toString("utf8").split(":")[0] ?? "";
  return user === "" ? {} : { user: userName.parse(user) };
}

export const userName = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "not a user name");

/** Text that may become an argument or a path in the guest: a NUL would cut it. */
export const guestText = z
  .string()
  .max(32 * 1024)
  .regex(/^[^\0]*$/, "holds a NUL");
