import { isKeyframeError } from "../../base/errors.ts";
import { answerHttpMessage } from "../../mcp/http-message.ts";
import type { HttpHandler } from "../../system/net/http-server.ts";
import { type AccessRules, bearerToken, checkOrigin, checkToken } from "../requests/access.ts";
import { describeHttpError } from "../requests/http-status.ts";
import { answers, type PageContext } from "./answers.ts";
import { contentPolicyOf, contentTypeOf, type PageAssets } from "./assets.ts";
import { encodeAnswer } from "./encode-answer.ts";

type IncomingMessage = Parameters<HttpHandler>[0];
type ServerResponse = Parameters<HttpHandler>[1];

export interface PageOptions {
  readonly context: PageContext;
  readonly assets: PageAssets;
  readonly access: AccessRules;
  /** Yields after each change of the repository that the page shows. */
  readonly changes: (signal: AbortSignal) => AsyncIterable<void>;
}

/** With every answer; what is not the page itself may load and run nothing at all. */
const securityHeaders = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** Returns the page's requests: its own files to anybody who may reach it, what the repository holds by token only. */
export function createPageHandler(options: PageOptions): HttpHandler {
  return (incoming, outgoing) => {
    answer(incoming, outgoing, options).catch((error: unknown) => fail(outgoing, error));
  };
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  options: PageOptions,
): Promise<void> {
  const { headers, method = "GET" } = incoming;
  checkOrigin(options.access, {
    host: headers.host,
    origin: headers.origin,
    fetchSite: typeof headers["sec-fetch-site"] === "string" ? headers["sec-fetch-site"] : undefined,
  });
  const url = new URL(incoming.url ?? "/", "http://page.invalid");
  if (url.pathname === "/mcp") return answerMcp(incoming, outgoing, options);
  if (method !== "GET" && method !== "HEAD") return send(outgoing, 405, { error: { message: "only GET" } });
  if (!url.pathname.startsWith("/api/")) return sendAsset(outgoing, options.assets, url.pathname);
  checkToken(options.access, bearerToken(headers.authorization));
  const [name = "", ...rest] = url.pathname.slice("/api/".length).split("/");
  if (name === "changes") return sendChanges(incoming, outgoing, options);
  const found = Object.hasOwn(answers, name) ? answers[name] : undefined;
  if (found === undefined)
    return send(outgoing, 404, { error: { message: `the page has no ${name.slice(0, 40)}` } });
  const argument = decodeURIComponent(rest.join("/"));
  if (argument.includes("\0")) {
    send(outgoing, 400, { error: { message: "a name cannot hold a zero byte" } });
    return;
  }
  send(outgoing, 200, await found(options.context, argument, url.searchParams));
}

const maxQuestionBytes = 1024 * 1024;

/** MCP over HTTP without sessions: one message in, one out. */
async function answerMcp(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { access, context }: PageOptions,
): Promise<void> {
  checkToken(access, bearerToken(incoming.headers.authorization));
  if (incoming.method !== "POST") {
    outgoing.setHeader("allow", "POST");
    return send(outgoing, 405, { error: { message: "only POST" } });
  }
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxQuestionBytes)
      return send(outgoing, 413, { error: { message: "the message is too long" } });
    pieces.push(piece);
  }
  const { status, body } = await answerHttpMessage(
    context,
    incoming.headers,
    Buffer.concat(pieces).toString("utf8"),
  );
  if (body !== undefined) return send(outgoing, status, body);
  outgoing.writeHead(status, securityHeaders).end();
}

function sendAsset(outgoing: ServerResponse, assets: PageAssets, path: string): void {
  const name = path === "/" ? "index.html" : path.slice(1);
  const content = assets.get(name);
  if (content === undefined) {
    send(outgoing, 404, { error: { message: "there is no such file" } });
    return;
  }
  outgoing.writeHead(200, {
    ...securityHeaders,
    "content-security-policy": contentPolicyOf(assets),
    "content-type": contentTypeOf(name),
    "content-length": content.length,
    // names of all others hold a digest of their content
    "cache-control": name === "index.html" ? "no-cache" : "max-age=31536000, immutable",
  });
  outgoing.end(content);
}

/** Server-sent events: one without content after each change; a comment now and then keeps the connection. */
async function sendChanges(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { changes }: PageOptions,
): Promise<void> {
  const gone = new AbortController();
  incoming.once("close", () => gone.abort());
  outgoing.once("close", () => gone.abort());
  outgoing.writeHead(200, {
    ...securityHeaders,
    "content-type": "text/event-stream",
    "cache-control": "no-store",
  });
  outgoing.write(": connected\n\n");
  const timer = setInterval(() => outgoing.write(": still here\n\n"), 15_000);
  try {
    for await (const _ of changes(gone.signal)) {
      if (gone.signal.aborted) break;
      outgoing.write("event: change\ndata: {}\n\n");
    }
  } finally {
    clearInterval(timer);
    outgoing.end();
  }
}

function send(outgoing: ServerResponse, status: number, value: object): void {
  const body = Buffer.from(encodeAnswer(value));
  outgoing.writeHead(status, {
    ...securityHeaders,
    "content-type": "application/json; charset=utf-8",
    "content-length": body.length,
    "cache-control": "no-store",
  });
  outgoing.end(body);
}

function fail(outgoing: ServerResponse, error: unknown): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const { status, code, message } = describeHttpError(error);
  const hint = isKeyframeError(error) ? error.hint : undefined;
  send(outgoing, error instanceof URIError ? 400 : status, { error: { code, message, hint } });
}
