import { once } from "node:events";
import { chmodSync, statSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type HttpHandler, listenHttp } from "../../../src/system/net/http-server.ts";
import { scratchFolder } from "../../support/scratch.ts";

const limits = {
  maxConnections: 10,
  maxWaitingPerPeer: 10,
  maxHeaderBytes: 4096,
  headersTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
};

async function listen(handler: HttpHandler, more: Partial<typeof limits> = {}) {
  const server = await listenHttp({ port: 0 }, handler, { ...limits, ...more });
  onTestFinished(async () => {
    server.cut();
    await server.close();
  });
  const { port } = server.address as { readonly port: number };
  return { server, port };
}

async function send(port: number, text: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

const answerAll: HttpHandler = (incoming, outgoing) => {
  incoming.resume();
  incoming.once("end", () => outgoing.end("done"));
};

test("a client that begins a body and falls silent is cut off", async () => {
  const { port } = await listen(answerAll, { bodyIdleTimeoutMs: 20 });
  const socket = await send(port, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc");
  socket.resume();
  await once(socket, "close");
});

test("an answer may take longer than the silence that a body may have", async () => {
  const { port } = await listen(
    (incoming, outgoing) => {
      incoming.resume();
      incoming.once("end", () => setTimeout(() => outgoing.end("late"), 100));
    },
    { bodyIdleTimeoutMs: 20 },
  );
  const socket = await send(port, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc");
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toContain("200 OK");
  socket.destroy();
});

test("a head that is too large is refused", async () => {
  const { port } = await listen(answerAll);
  const socket = await send(port, `GET / HTTP/1.1\r\nhost: x\r\nx-large: ${"a".repeat(8192)}\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toContain("431");
});

test("closing waits for answers that are under way, and not for connections that only wait", async () => {
  let finish: () => void = () => undefined;
  const { server, port } = await listen((_incoming, outgoing) => {
    outgoing.write("begun");
    finish = () => void outgoing.end();
  });
  // a client that keeps its connections, as browsers and the e2b package do
  const agent = new Agent({ keepAlive: true });
  const asked = request({ port, host: "127.0.0.1", agent });
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  await once(answer, "data");
  let closed = false;
  const closing = server.close().then(() => {
    closed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(closed).toBe(false);
  finish();
  answer.resume();
  await once(answer, "end");
  await closing;
  agent.destroy();
});

test("a unix socket is for its user only, and one that a crash has left is replaced", async () => {
  const path = `${scratchFolder()}/api.sock`;
  const first = await listenHttp({ path }, answerAll, limits);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(listenHttp({ path }, answerAll, limits)).rejects.toMatchObject({ code: "refused" });
  chmodSync(path, 0o777);
  await first.close();
  const asked = await listenHttp({ path }, answerAll, limits);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await asked.close();
});
