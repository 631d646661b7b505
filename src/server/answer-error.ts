import type { Context } from "hono";
import { apiKindOf } from "./api-kind.ts";
import type { ServerContext } from "./context/context.ts";
import { noteFailure } from "./context/note-failure.ts";
import { connectStatus, toConnectError } from "./e2b/connect-protocol.ts";
import type { RequestEnv } from "./requests/request-env.ts";
import { toRequestError } from "./requests/request-errors.ts";

/** An error as the interface's clients expect it. */
export function answerError(server: ServerContext, c: Context<RequestEnv>, thrown: unknown): Response {
  const error = toRequestError(thrown);
  const { status, ...body } = noteFailure(server, `${c.req.method} ${c.req.path}`, error);
  const { code, message } = body;
  c.set("errorCode", code);
  if (status === 503) c.header("retry-after", "1");
  switch (apiKindOf(c.req.path)) {
    case "envd": {
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
