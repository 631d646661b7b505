import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

export interface PacedServer {
  readonly url: string;
  /** Bytes sent so far. */
  sentBytes(): number;
  close(): Promise<void>;
}

/** Serves a directory over HTTP as slowly as a store that is far away: one network card for all requests. */
export async function startPacedServer(
  folder: string,
  pace: { readonly firstByteMs: number; readonly bytesPerMs: number },
): Promise<PacedServer> {
  let sent = 0;
  let busyUntilMs = 0;
  const server = createServer((request, response) => {
    const path = join(folder, new URL(request.url ?? "/", "http://localhost").pathname);
    const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size;
    if (sizeBytes === undefined) return void response.writeHead(404).end();
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const first = Number(from ?? 0);
    const last = to === undefined || to === "" ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
    const headers = { "content-length": last - first + 1, "accept-ranges": "bytes" };
    if (from === undefined) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, "content-range": `bytes ${first}-${last}/${sizeBytes}` });
    if (request.method === "HEAD" || last < first) return void response.end();
    let dueMs = performance.now() + pace.firstByteMs;
    const file = createReadStream(path, { start: first, end: last, highWaterMark: 64 * 1024 });
    file.on("data", (piece) => {
      file.pause();
      sent += piece.length;
      busyUntilMs = Math.max(busyUntilMs, dueMs) + piece.length / pace.bytesPerMs;
      dueMs = busyUntilMs;
      setTimeout(() => {
        response.write(piece);
        file.resume();
      }, dueMs - performance.now());
    });
    file.on("end", () => setTimeout(() => response.end(), Math.max(0, dueMs - performance.now())));
    response.on("close", () => file.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    sentBytes: () => sent,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
