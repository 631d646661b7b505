import type { MiddlewareHandler } from "hono";
import { apiKindOf } from "./api-kind.ts";
import type { ServerContext } from "./context/context.ts";
import { checkSandboxAccess } from "./e2b/envd.ts";
import { type AccessRules, bearerToken, checkOrigin, checkToken } from "./requests/access.ts";
import type { RequestEnv } from "./requests/request-env.ts";

/** Lets through who may ask; everything else is an error before any handler runs. */
export function guardRequests(server: ServerContext, access: AccessRules): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    checkOrigin(access, {
      host: c.req.header("host"),
      origin: c.req.header("origin"),
      fetchSite: c.req.header("sec-fetch-site"),
    });
    const kind = apiKindOf(c.req.path);
    if (kind === "envd") {
      c.set("principal", checkSandboxAccess(server, access, c.req));
    } else if (kind !== "public") {
      const bearer = bearerToken(c.req.header("authorization"));
      checkToken(access, kind === "e2b" ? (c.req.header("x-api-key") ?? bearer) : bearer);
      if (access.token !== undefined) c.set("principal", "token");
    }
    await next();
  };
}
