import { timingSafeEqual } from "node:crypto";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
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
    const target = findTarget(request.url ?? "", options.upstream);
    const problem =
      target === undefined
        ? "not a path of the model's endpoint"
        : holdsToken(request, options.token)
          ? undefined
          : "the token is not of this run";
    if (target === undefined || problem !== undefined) {
      options.say(`refused ${JSON.stringify(request.url?.slice(0, 200))}: ${problem}`);
      // 403: agents try a 401 again and again
      response.writeHead(403, { "content-type": "text/plain" }).end(`keyframe: ${problem}\n`);
      request.resume();
      return;
    }
    passed += 1;
    pass(request, response, target, options);
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

/**
 * Where a request goes; undefined where that is not below the endpoint. The address is judged as it will be asked for: a URL
 * reads `/\host/` as another host, and dots as steps up.
 */
function findTarget(url: string, upstream: URL): URL | undefined {
  if (!url.startsWith("/") || !URL.canParse(url, upstream.href)) return undefined;
  const target = new URL(url, upstream);
  const base = upstream.pathname.replace(/\/$/, "");
  const isBelow = target.pathname === base || target.pathname.startsWith(`${base}/`);
  return target.origin === upstream.origin && target.username === "" && isBelow ? target : undefined;
}

function holdsToken(request: IncomingMessage, token: string): boolean {
  return shownTokens(request).some((shown) => isSame(shown, token));
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
  target: URL,
  { headers, say }: KeyProxyOptions,
): void {
  const kept = Object.entries(request.headers).filter(([name]) => !droppedHeaders.has(name));
  const start = target.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = start(
    target,
    { method: request.method, headers: { ...Object.fromEntries(kept), ...headers } },
    (incoming) => {
      const answered = Object.entries(incoming.headers).filter(([name]) => !droppedHeaders.has(name));
      response.writeHead(incoming.statusCode ?? 502, Object.fromEntries(answered));
      response.flushHeaders();
      // an answer that breaks off breaks off here too
      pipeline(incoming, response, () => undefined);
    },
  );
  outgoing.once("error", (error) => {
    if (response.destroyed) return;
    say(`${target.host} did not answer: ${error.message}`);
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
