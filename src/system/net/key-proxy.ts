import { timingSafeEqual } from "node:crypto";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { KeyframeError } from "../../base/errors.ts";

export interface KeyProxyOptions {
  /** Where requests go; only paths below its own are passed on. */
  readonly upstream: URL;
  /** What a caller has to show in one of the headers that keys are sent in. */
  readonly token: string;
  /** Takes the place of every such header. */
  readonly headers: Readonly<Record<string, string>>;
  /** 0 takes a free port. */
  readonly port?: number;
  /** Told what was refused, or did not come through. */
  readonly say: (text: string) => void;
}

export interface KeyProxy {
  readonly port: number;
  /** Requests that were passed on. */
  readonly passed: () => number;
  close(): Promise<void>;
}

/** Headers in which a key may be sent, and those that belong to one connection. */
const droppedHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "x-api-key",
  "x-goog-api-key",
  "proxy-authorization",
  "host",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "proxy-connection",
]);

/**
 * An HTTP server on this machine's loopback that passes requests on with a key that its callers do not have: they hold a
 * token that is worth nothing elsewhere. Streams both ways; a caller that goes away ends the upstream's work too.
 */
export function startKeyProxy(options: KeyProxyOptions): Promise<KeyProxy> {
  let passed = 0;
  const server = createServer((request, response) => {
    const problem = judge(request, options);
    if (problem !== undefined) {
      options.say(`refused ${JSON.stringify(request.url?.slice(0, 200))}: ${problem}`);
      // 403: agents try a 401 again and again
      response.writeHead(403, { "content-type": "text/plain" }).end(`keyframe: ${problem}\n`);
      request.resume();
      return;
    }
    passed += 1;
    pass(request, response, options);
  });
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new KeyframeError("io-failed", `cannot listen on loopback: ${cause.message}`, { cause })),
    );
    server.listen(options.port ?? 0, "127.0.0.1", () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        passed: () => passed,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      }),
    );
  });
}

/** Why a request is refused. */
function judge(request: IncomingMessage, { upstream, token }: KeyProxyOptions): string | undefined {
  const url = request.url ?? "";
  // anything else than a path would make this a proxy to everywhere
  if (!url.startsWith("/") || url.startsWith("//")) return "not a path";
  const base = upstream.pathname.replace(/\/$/, "");
  const { pathname } = new URL(url, "http://localhost");
  if (pathname !== base && !pathname.startsWith(`${base}/`)) return "not a path of the model's endpoint";
  return shownTokens(request).some((shown) => isSame(shown, token))
    ? undefined
    : "the token is not of this run";
}

function shownTokens({ headers }: IncomingMessage): string[] {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
  return [bearer, headers["x-api-key"], headers["x-goog-api-key"]].filter((text) => typeof text === "string");
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  { upstream, headers, say }: KeyProxyOptions,
): void {
  const kept = Object.entries(request.headers).filter(([name]) => !droppedHeaders.has(name));
  const start = upstream.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = start(
    new URL(request.url ?? "/", upstream),
    { method: request.method, headers: { ...Object.fromEntries(kept), ...headers } },
    (incoming) => {
      const answered = Object.entries(incoming.headers).filter(([name]) => !droppedHeaders.has(name));
      response.writeHead(incoming.statusCode ?? 502, Object.fromEntries(answered));
      response.flushHeaders();
      incoming.pipe(response);
    },
  );
  outgoing.once("error", (error) => {
    if (response.destroyed) return;
    say(`${upstream.host} did not answer: ${error.message}`);
    if (response.headersSent) response.destroy();
    else
      response
        .writeHead(502, { "content-type": "text/plain" })
        .end("keyframe: the endpoint did not answer\n");
  });
  // tokens that nobody reads are paid for too
  response.once("close", () => outgoing.destroy());
  request.pipe(outgoing);
}
