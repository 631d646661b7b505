import type { MiddlewareHandler } from "hono";
import { KeyframeError } from "../../base/errors.ts";
import { maxJsonBytes } from "./limits.ts";
import { readSmallBody } from "./request-body.ts";
import type { RequestEnv } from "./request-env.ts";

/**
 * Reads JSON bodies whole, up to their limit, before a handler looks at them. An empty body is none, whatever its type;
 * another type of body is an error, not nothing.
 */
export function boundBodies(): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    if (Number(c.req.header("content-length") ?? 0) > maxJsonBytes) throw tooLarge();
    const body = await readSmallBody(c.req.raw, maxJsonBytes);
    if (body.length > 0 && !/^application\/json\s*(?:;|$)/i.test(c.req.header("content-type") ?? "")) {
      throw new KeyframeError("invalid-input", "the body is not application/json");
    }
    // the one that came has been read, also where there was nothing in it
    const { url, method } = c.req.raw;
    const headers = new Headers(c.req.raw.headers);
    if (body.length === 0) headers.delete("content-type");
    c.req.raw = new Request(url, { method, headers, ...(body.length === 0 ? {} : { body }) });
    await next();
  };
}

function tooLarge(): KeyframeError {
  return new KeyframeError("too-large", `the request's body is larger than ${maxJsonBytes} bytes`);
}
