import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { KeyframeError } from "../base/errors.ts";
import { randomHex } from "../system/random.ts";
import { answerError } from "./answer-error.ts";
import type { ServerContext } from "./context/context.ts";
import type { AuditLog } from "./requests/audit-log.ts";
import type { RequestContext, RequestEnv } from "./requests/request-env.ts";

export interface ObserveOptions {
  readonly audit: AuditLog;
  readonly maxRequests: number;
}

/** Bounds, times and writes down every request, to the last byte of its answer. */
export function observeRequests(
  server: ServerContext,
  options: ObserveOptions,
): MiddlewareHandler<RequestEnv> {
  const { clock, random } = server.sandboxContext;
  let inFlight = 0;
  server.metrics.registry.gauge("keyframe_http_requests_in_flight", "Requests without an answer.", () => [
    [{}, inFlight],
  ]);

  return async (c, next) => {
    const id = randomHex(random, 16);
    const startedAtMs = clock.monotonicMs();
    c.header("x-request-id", id);
    c.set("principal", "none");
    inFlight += 1;
    const end = () => {
      inFlight -= 1;
      const durationMs = clock.monotonicMs() - startedAtMs;
      server.metrics.requestSeconds.observe(durationMs / 1000, labelsOf(c));
      options.audit.write({
        id,
        method: c.req.method.slice(0, 16),
        path: c.req.path,
        status: c.res.status,
        durationMs: Math.round(durationMs * 10) / 10,
        principal: c.get("principal"),
        remote: c.env?.incoming?.socket.remoteAddress ?? "",
        ...sandboxOf(c),
        ...errorOf(c),
      });
    };
    if (inFlight > options.maxRequests) {
      const error = new KeyframeError("busy", `${options.maxRequests} requests are being answered already`, {
        hint: "try again when one of them has ended",
      });
      c.res = answerError(server, c, error);
    } else await next();
    const { body } = c.res;
    if (c.get("streams") === undefined || body === null) return end();
    c.res = new Response(withEnd(body, end), c.res);
  };
}

const knownMethods = new Set(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]);

/** Few values whatever is asked: a route's pattern, not its path. */
function labelsOf(c: RequestContext): Readonly<Record<string, string>> {
  return {
    method: knownMethods.has(c.req.method) ? c.req.method : "other",
    route: routePath(c, -1),
    status: String(c.res.status),
  };
}

/** For requests that name their sandbox in a header. */
function sandboxOf(c: RequestContext): { readonly sandbox?: string } {
  const id = c.req.header("e2b-sandbox-id");
  return id === undefined ? {} : { sandbox: id.slice(0, 64) };
}

function errorOf(c: RequestContext): { readonly error?: string } {
  const error = c.get("errorCode");
  return error === undefined ? {} : { error };
}

/** The same body; `over` is called once, when its reader has all of it or has gone. */
function withEnd(body: ReadableStream<Uint8Array>, over: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          over();
          controller.close();
        } catch (error) {
          over();
          controller.error(error);
        }
      },
      async cancel(reason) {
        over();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
