import type { Context } from "hono";
import type { ServerContext } from "./context.ts";
import { connectStatus, toConnectError } from "./e2b/connect-protocol.ts";
import { type DescribedError, describeHttpError } from "./http-status.ts";
import type { RequestEnv } from "./request-env.ts";
import { toRequestError } from "./request-errors.ts";
import { surfaceOf } from "./surfaces.ts";

/** An error as the surface's clients expect it. */
export function answerError(server: ServerContext, c: Context<RequestEnv>, thrown: unknown): Response {
  const error = toRequestError(thrown);
  const { status, ...body } = noteFailure(server, `${c.req.method} ${c.req.path}`, error);
  const { code, message } = body;
  c.set("errorCode", code);
  if (status === 503) c.header("retry-after", "1");
  switch (surfaceOf(c.req.path)) {
    case "inside": {
      const connect = toConnectError(error);
      // uploads that do not fit have a status of their own
      return c.json(connect, status === 507 ? 507 : connectStatus(connect));
    }
    case "e2b":
      return c.json({ code: status, message }, status);
    default:
      return c.json({ error: body }, status);
  }
}

/** Counts a failure and says how callers see it. The text of a defect goes to the server's own log. */
export function noteFailure(server: ServerContext, what: string, error: unknown): DescribedError {
  const described = describeHttpError(error);
  server.metrics.countError(described.code);
  if (described.code === "internal") {
    server.world.warn(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }
  return described;
}
