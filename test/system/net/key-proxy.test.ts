import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type KeyProxy, startKeyProxy } from "../../../src/system/net/key-proxy.ts";

const key = "the-real-key";
let seen: { readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: string }[];
let gone: Promise<void>;
let proxy: KeyProxy;
let said: string[];
let close: () => void;

beforeEach(async () => {
  seen = [];
  said = [];
  let left: () => void = () => undefined;
  gone = new Promise((resolve) => {
    left = resolve;
  });
  const upstream = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => {
      body += piece.toString();
    });
    request.on("end", () => {
      seen.push({ url: request.url ?? "", headers: request.headers, body });
      response.once("close", left);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("first\n");
      if (body === "broken") setImmediate(() => response.destroy());
      else if (body !== "endless") response.end("last\n");
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const { port } = upstream.address() as AddressInfo;
  proxy = await startKeyProxy({
    upstream: new URL(`http://127.0.0.1:${port}/api`),
    token: "token-of-the-run",
    headers: { "x-api-key": key },
    say: (text) => said.push(text),
  });
  close = () => {
    upstream.close();
    upstream.closeAllConnections();
  };
});
afterEach(async () => {
  await proxy.close();
  close();
});

const ask = (path: string, headers: Record<string, string>, body = "question") =>
  fetch(`http://127.0.0.1:${proxy.port}${path}`, { method: "POST", headers, body });

test("a request with the token is passed on with the key in its place, and the answer streams back", async () => {
  for (const headers of [{ authorization: "Bearer token-of-the-run" }, { "x-api-key": "token-of-the-run" }]) {
    const response = await ask("/api/v1/messages?beta=true", { ...headers, "x-custom": "kept" });
    expect([response.status, await response.text()]).toEqual([200, "first\nlast\n"]);
  }
  expect(seen.map(({ url, body }) => [url, body])).toEqual([
    ["/api/v1/messages?beta=true", "question"],
    ["/api/v1/messages?beta=true", "question"],
  ]);
  for (const { headers } of seen) {
    expect([headers["x-api-key"], headers.authorization, headers["x-custom"]]).toEqual([
      key,
      undefined,
      "kept",
    ]);
    expect(JSON.stringify(headers)).not.toContain("token-of-the-run");
  }
  expect(proxy.passed()).toBe(2);
});

test("without the token, beside the endpoint, or to another server, nothing is passed on", async () => {
  const token = { authorization: "Bearer token-of-the-run" };
  for (const [path, headers] of [
    ["/api/v1/messages", {}],
    ["/api/v1/messages", { authorization: "Bearer another" }],
    ["/admin", token],
    ["/api/../admin", token],
    ["/apiary", token],
  ] as [string, Record<string, string>][]) {
    const response = await ask(path, headers);
    expect([path, response.status]).toEqual([path, 403]);
  }
  const elsewhere = [
    "http://example.com/api/x",
    "//example.com/api/x",
    "/\\example.com/api/x",
    "/\\[/api/x",
    "*",
  ];
  for (const target of elsewhere) expect([target, await askPlainly(target)]).toEqual([target, 403]);
  expect(seen).toEqual([]);
  expect(said).toHaveLength(5 + elsewhere.length);
});

/** The status of a request whose target no client's URL parser has seen. */
function askPlainly(target: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(proxy.port, "127.0.0.1", () =>
      socket.write(
        `GET ${target} HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer token-of-the-run\r\n\r\n`,
      ),
    );
    socket.once("data", (piece) => {
      socket.destroy();
      resolve(Number(/^HTTP\/1.1 (\d+)/.exec(piece.toString())?.[1]));
    });
  });
}

test("a caller that goes away ends the request to the endpoint", async () => {
  const stop = new AbortController();
  const response = await fetch(`http://127.0.0.1:${proxy.port}/api/x`, {
    method: "POST",
    headers: { "x-api-key": "token-of-the-run" },
    body: "endless",
    signal: stop.signal,
  });
  const reader = response.body?.getReader();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("first\n");
  stop.abort();
  await gone;
});

test("an answer that breaks off at the endpoint breaks off for the caller, and the proxy goes on", async () => {
  const token = { "x-api-key": "token-of-the-run" };
  await expect(ask("/api/x", token, "broken").then((response) => response.text())).rejects.toThrow();
  expect(await (await ask("/api/x", token)).text()).toBe("first\nlast\n");
});
