import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startServer } from "../../src/server/start-server.ts";
import {
  createFakeGuest,
  openTestServer,
  recordRunningSandbox,
  recordSnapshot,
} from "../support/test-server.ts";

// Who reaches the server sends what he likes: whatever it is, the fault is the request's.

const bodies: readonly [string, string | undefined, string | undefined][] = [
  ["no body", undefined, undefined],
  ["an empty body", "", "application/json"],
  ["an empty body of no type", "", undefined],
  ["white space", "  ", "application/json"],
  ["half a value", "{", "application/json"],
  ["null", "null", "application/json"],
  ["a list", "[]", "application/json"],
  ["a text", '"x"', "application/json"],
  ["a number", "1e400", "application/json"],
  ["an object of nothing known", '{"__proto__":{},"constructor":1}', "application/json"],
  ["deep lists", "[".repeat(100_000), "application/json"],
  ["bytes", "\u0000\u00ff", "application/octet-stream"],
  ["a form", "a=b", "application/x-www-form-urlencoded"],
];

/** What only a machine that does not run here can do wrong. */
const needsMachine = /\/(?:metrics|fork|pause|snapshots|branch|stop)$/;

test.each(bodies)("%s is no server's fault on any route", async (_, body, type) => {
  const guest = createFakeGuest();
  const { app, ask, sandboxContext } = openTestServer({ openGuestSession: guest.open });
  const failed: string[] = [];
  for (const route of app.routes) {
    if (route.method === "ALL") continue;
    recordRunningSandbox(sandboxContext);
    recordSnapshot(sandboxContext);
    const path = route.path.replace(":snapshot", "sn-0123456789ab").replace(/:\w+/g, "sb-0123456789ab");
    const headers: Record<string, string> = {
      "e2b-sandbox-id": "sb0123456789ab",
      ...(type === undefined ? {} : { "content-type": type }),
    };
    const answer = await app.request(`http://127.0.0.1:7070${path}`, {
      method: route.method,
      headers: { host: "127.0.0.1:7070", ...headers },
      ...(body === undefined || route.method === "GET" ? {} : { body }),
    });
    const text = await answer.text();
    if (answer.status >= 500 && ![501, 502].includes(answer.status) && !needsMachine.test(path))
      failed.push(`${answer.status} ${route.method} ${path} ${text}`);
  }
  expect(failed).toEqual([]);
  expect((await ask("GET", "/healthz")).status).toBe(200);
});

async function listening(token?: string): Promise<number> {
  const { sandboxContext } = openTestServer();
  const server = await startServer(sandboxContext, {
    address: { port: 0, host: "127.0.0.1" },
    token,
    localOnly: true,
    accelerator: "tcg",
    isRoot: false,
    stores: { names: [], use: () => Promise.reject(new Error("no stores here")) },
  });
  onTestFinished(() => server.stop());
  if ("path" in server.address) throw new Error("not a port");
  return server.address.port;
}

test.each([
  ["content-length: 0", ""],
  ["transfer-encoding: chunked", "0\r\n\r\n"],
  ["x-nothing: 1", ""],
])("an empty body over a socket (%s) is a 4xx on routes that take JSON", async (header, body) => {
  const port = await listening();
  for (const path of [
    "/v1/sandboxes",
    "/v1/images",
    "/v1/gc",
    "/v1/snapshots/pull",
    "/sandboxes",
    "/v3/templates",
  ])
    for (const type of ["content-type: application/json\r\n", ""]) {
      const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${type}${header}\r\n\r\n`;
      const answer = await said(port, head + body);
      expect(answer, `${path} ${type}`).toMatch(/^HTTP\/1\.1 (?:2|4|501)/);
    }
});

test.each(["TRACE", "TRACK", "CONNECT", "NOTHING", "M-SEARCH"])(
  "%s is no server's fault over a socket",
  async (method) => {
    const port = await listening();
    for (const path of ["/v1/sandboxes", "/healthz", "/sandboxes"]) {
      const answer = await said(
        port,
        `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^(?:HTTP\/1\.1 (?:4|501)|$)/);
    }
  },
);

test("half-open requests of anybody leave room for the rest", async () => {
  const port = await listening();
  const open = await Promise.all(Array.from({ length: 1100 }, () => connected(port)));
  for (const socket of open) socket.write("GET /healthz HTTP/1.1\r\nhost: loc");
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
  });
  for (let round = 0; round < 5; round += 1)
    expect(
      await said(port, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
    ).toContain("200 OK");
});

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}

async function said(port: number, text: string): Promise<string> {
  const socket = await connected(port);
  let heard = "";
  socket.on("data", (piece: Buffer) => {
    heard += piece.toString("latin1");
  });
  socket.write(text);
  await new Promise((resolve) => socket.once("close", resolve));
  return heard;
}
