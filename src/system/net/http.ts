import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf } from "../files/files.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "PATCH" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Iterate it (to the end, or leave the loop, which closes the connection) or call `discard`. */
  readonly body: AsyncIterable<Buffer>;
  /** Gives up a body that was not iterated. */
  discard(): void;
}

/**
 * HTTP requests over kept connections. Any status is a result. `store-unavailable` where the server cannot be
 * reached or breaks off, in the body too; `timed-out` where nothing arrives for `idleTimeoutMs`. Redirects are
 * not followed.
 */
export interface HttpClient {
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

export interface HttpClientOptions {
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
}

export function createNodeHttpClient(options: HttpClientOptions): HttpClient {
  const agentOptions = {
    keepAlive: true,
    maxSockets: options.maxConnections,
    maxFreeSockets: options.maxConnections,
  };
  const httpAgent = new HttpAgent(agentOptions);
  const httpsAgent = new HttpsAgent(agentOptions);
  return {
    async request(request) {
      request.signal.throwIfAborted();
      const isPlain = request.url.startsWith("http:");
      const requestOptions: RequestOptions = {
        method: request.method,
        headers: {
          ...request.headers,
          ...(request.body === undefined ? {} : { "content-length": request.body.length }),
        },
        agent: isPlain ? httpAgent : httpsAgent,
        timeout: options.idleTimeoutMs,
      };
      const place = new URL(request.url).host;
      let failure: KeyframeError | undefined;
      const explain = (error: unknown) => failure ?? translate(error, place, request.signal);
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const outgoing = (isPlain ? requestHttp : requestHttps)(request.url, requestOptions, (answer) => {
          // who iterates the body gets its errors; before and after that nobody does, and an abort must not end the process
          answer.on("error", () => undefined);
          resolve(answer);
        });
        outgoing.on("error", (error) => reject(explain(error)));
        // Not by the option `signal`: the agent hands that on to the socket, which outlives this request and would be
        // destroyed under a later one. And without an error: destroying a request whose answer has arrived but was not
        // read returns the socket to the pool first, where nobody hears the error and the process ends.
        const onAbort = () => void outgoing.destroy();
        request.signal.addEventListener("abort", onAbort, { once: true });
        outgoing.once("close", () => request.signal.removeEventListener("abort", onAbort));
        // the socket's own timer also runs while the answer's body arrives
        outgoing.on("timeout", () => {
          failure = new KeyframeError("timed-out", `${place} sent nothing for ${options.idleTimeoutMs} ms`);
          outgoing.destroy();
        });
        outgoing.end(request.body);
      });
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: bodyOf(response, place, explain),
        discard: () => discard(response, request.method === "HEAD"),
      };
    },
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

/** A short rest is read so that the connection can serve again. */
const shortBodyBytes = 64 * 1024;

function discard(response: IncomingMessage, isBodyless: boolean): void {
  const length = Number(response.headers["content-length"] ?? Number.NaN);
  if (isBodyless || length <= shortBodyBytes) response.resume();
  else response.destroy();
}

async function* bodyOf(
  response: IncomingMessage,
  place: string,
  explain: (error: unknown) => unknown,
): AsyncGenerator<Buffer> {
  try {
    for await (const piece of response) yield piece as Buffer;
  } catch (error) {
    throw explain(error);
  }
  if (!response.complete) {
    throw new KeyframeError("store-unavailable", `${place} closed the connection in the middle of an answer`);
  }
}

function translate(error: unknown, place: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof KeyframeError) return error;
  const code = errnoOf(error) ?? "";
  if (code.startsWith("ERR_TLS") || code.includes("CERT")) {
    return new KeyframeError("io-failed", `${place} has no certificate that is trusted here: ${code}`, {
      cause: error,
    });
  }
  return new KeyframeError("store-unavailable", `cannot talk to ${place}: ${code || String(error)}`, {
    cause: error,
  });
}
