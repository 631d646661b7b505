// A process of its own, because tests wait for git synchronously: `<http|daemon> <folder>`. Sends {port} to its parent,
// and {sent, requests} since the last time whenever it is asked.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createSocketServer } from "node:net";
import { join } from "node:path";

const [kind = "", served = ""] = process.argv.slice(2);
const server = kind === "http" ? await serveOverHttp(served) : await serveOverDaemon(served);
process.on("message", () =>
  process.send?.({ sent: server.takeSentBytes(), requests: server.takeRequests() }),
);
process.on("disconnect", () => {
  server.close();
  process.exit(0);
});
process.send?.({ port: server.port });

interface CountingServer {
  readonly port: number;
  takeSentBytes(): number;
  takeRequests(): number;
  close(): void;
}

/** `git http-backend` behind a small CGI server. */
async function serveOverHttp(folder: string): Promise<CountingServer> {
  let sent = 0;
  let requests = 0;
  const running = new Set<ChildProcess>();
  const server = createServer((request, response) => {
    requests += 1;
    const child = runBackend(folder, request);
    running.add(child);
    child.once("close", () => running.delete(child));
    void relay(child, request, response, (bytes) => {
      sent += bytes;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    takeSentBytes: () => take(sent, () => (sent = 0)),
    takeRequests: () => take(requests, () => (requests = 0)),
    close() {
      for (const child of running) child.kill("SIGKILL");
    },
  };
}

function runBackend(folder: string, request: IncomingMessage): ChildProcess {
  const url = new URL(request.url ?? "/", "http://localhost");
  return spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"],
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      REMOTE_USER: "somebody",
      REMOTE_ADDR: "127.0.0.1",
      ...(request.headers["content-encoding"] === undefined
        ? {}
        : { HTTP_CONTENT_ENCODING: request.headers["content-encoding"] }),
      ...(request.headers["git-protocol"] === undefined
        ? {}
        : { GIT_PROTOCOL: String(request.headers["git-protocol"]) }),
      ...(request.headers["content-length"] === undefined
        ? {}
        : { CONTENT_LENGTH: request.headers["content-length"] }),
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
}

async function relay(
  child: ChildProcess,
  request: IncomingMessage,
  response: ServerResponse,
  count: (bytes: number) => void,
): Promise<void> {
  child.stdin?.on("error", () => undefined);
  if (child.stdin) request.pipe(child.stdin);
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of child.stdout as AsyncIterable<Buffer>) {
    let body = piece;
    if (head !== undefined) {
      head = Buffer.concat([head, piece]);
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) continue;
      for (const line of head.toString("latin1", 0, end).split("\r\n")) {
        const colon = line.indexOf(":");
        const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
        if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      body = head.subarray(end + 4);
      head = undefined;
    }
    count(body.length);
    response.write(body);
  }
  response.end();
}

/** `git daemon`, behind a relay that counts. */
async function serveOverDaemon(folder: string): Promise<CountingServer> {
  const daemonPort = await freePort();
  const daemon = spawn(
    join(execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim(), "git-daemon"),
    [
      "--export-all",
      "--reuseaddr",
      "--enable=receive-pack",
      "--listen=127.0.0.1",
      "--informative-errors",
      `--port=${daemonPort}`,
      `--base-path=${folder}`,
      folder,
    ],
    { stdio: "ignore" },
  );
  await reachable(daemonPort);
  let sent = 0;
  let connections = 0;
  const server = createSocketServer((client) => {
    connections += 1;
    const upstream = connect(daemonPort, "127.0.0.1");
    upstream.on("data", (piece) => {
      sent += piece.length;
    });
    upstream.on("error", () => client.destroy());
    client.on("error", () => upstream.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    takeSentBytes: () => take(sent, () => (sent = 0)),
    takeRequests: () => take(connections, () => (connections = 0)),
    close: () => void daemon.kill(),
  };
}

function take(value: number, reset: () => void): number {
  reset();
  return value;
}

async function freePort(): Promise<number> {
  const probe = createSocketServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** Resolves once somebody answers at the port. */
function reachable(port: number): Promise<void> {
  return new Promise((resolve) => {
    const attempt = () => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve();
      });
      socket.once("error", () => setImmediate(attempt));
    };
    attempt();
  });
}
