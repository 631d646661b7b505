import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";

/** What middleware and handlers tell each other about one request. */
export interface RequestEnv {
  Variables: {
    /** By what the caller has proved itself: for the audit log. */
    principal: "token" | "sandbox token" | "signature" | "none";
    /** The code of the error that was answered. */
    errorCode?: string;
    /** The answer is a stream: the request goes on until it has ended. */
    streams?: true;
  };
  /** What the socket's server adds; absent where the app is asked in process. */
  Bindings: { readonly incoming?: { readonly socket: { readonly remoteAddress?: string } } };
}

export type ServerApp = OpenAPIHono<RequestEnv>;
export type RequestContext = Context<RequestEnv>;
