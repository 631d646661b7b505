import type { MiddlewareHandler } from "hono";
import { KeyframeError } from "../../base/errors.ts";
import { maxJsonBytes } from "./limits.ts";
import { readSmallBody } from "./request-body.ts";
import type { RequestEnv } from "./request-env.ts";

/** Reads JSON bodies whole, up to their limit, before a handler looks at them. Another type of body is an error, not nothing. */
export function boundBodies(): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    if (Number(c.req.header("content-length") ?? 0) > maxJsonBytes) throw tooLarge();
    const body = await readSmallBody(c.req.raw, maxJsonBytes);
    if (body.length > 0) {
      if (!/^application\/json\s*(?:;|$)/i.test(c.req.header("content-type") ?? "")) {
        throw new KeyframeError("invalid-input", "the body is not application/json");
      }
      const { url, method, headers } = c.req.raw;
      c.req.raw = new Request(url, { method, headers, body });
    }
    await next();
  };
}

function tooLarge(): KeyframeError {
  return new KeyframeError("too-large", `the request's body is larger than ${maxJsonBytes} bytes`);
}
