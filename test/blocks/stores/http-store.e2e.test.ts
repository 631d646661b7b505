import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFolderStore } from "../../../src/blocks/stores/folder-store.ts";
import { createHttpStore } from "../../../src/blocks/stores/http-store.ts";
import { bytesContent, collect } from "../../../src/blocks/stores/interface/object-content.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";
import { createNodeHttpClient } from "../../../src/system/net/http.ts";
import { nodeRandom } from "../../../src/system/random.ts";
import { neverAborted as signal } from "../../support/image-repository.ts";
import { runKeyframe } from "../../support/keyframe-program.ts";
import { patternBytes } from "../../support/memory-image.ts";
import { describeObjectStore } from "../../support/object-store-suite.ts";
import { type RunningServer, startNginx } from "../../support/real-servers.ts";

const folder = mkdtempSync(join(tmpdir(), "keyframe-http-"));
const root = join(folder, "store");
const writer = createFolderStore(root, {
  files: nodeFiles,
  openFile: openNodeSparseFile,
  random: nodeRandom,
});
const client = () => createNodeHttpClient({ maxConnections: 4, idleTimeoutMs: 10_000 });
let nginx: RunningServer;

beforeAll(async () => {
  nodeFiles.makeFolder(root);
  nginx = await startNginx(join(folder, "nginx"), root);
});

afterAll(async () => {
  await nginx.stop();
  rmSync(folder, { recursive: true, force: true });
});

describeObjectStore("HTTP (nginx)", async () => ({
  store: createHttpStore(nginx.url, client()),
  writer,
  lacks: ["put", "list"],
}));

test("a server without byte ranges is refused, not misread", async () => {
  await writer.put("layers/aa/ranges", bytesContent(patternBytes(5000)), { signal });
  const store = createHttpStore(`${nginx.url}no-ranges`, client());
  const asked = collect(store.read("layers/aa/ranges", { offsetBytes: 10, lengthBytes: 10 }, signal), 5000);
  await expect(asked).rejects.toMatchObject({ code: "unsupported" });
  expect(
    (await collect(store.read("layers/aa/ranges", undefined, signal), 5000)).equals(patternBytes(5000)),
  ).toBe(true);
  await store.close();
});

test("a server that is not there can be tried again later", async () => {
  const store = createHttpStore("http://127.0.0.1:1/", client());
  await expect(store.stat("layers/aa/x", signal)).rejects.toMatchObject({ code: "store-unavailable" });
  await store.close();
});

test("a server that falls silent in the middle of an answer is given up, and one that lies about the length is noticed", async () => {
  const server = createServer((request, response) => {
    if (request.url?.includes("silent")) response.writeHead(200, { "content-length": 100 }).write("half");
    else if (request.url?.includes("chunked")) response.writeHead(200).end("x".repeat(100));
    else response.writeHead(206, { "content-range": "bytes 0-9/100" }).end("0123456789");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const store = createHttpStore(
    `http://127.0.0.1:${port}`,
    createNodeHttpClient({ maxConnections: 4, idleTimeoutMs: 100 }),
  );
  const read = (key: string, lengthBytes?: number) =>
    collect(
      store.read(key, lengthBytes === undefined ? undefined : { offsetBytes: 0, lengthBytes }, signal),
      1000,
    );
  await expect(read("layers/aa/silent")).rejects.toMatchObject({ code: "timed-out" });
  await expect(read("layers/aa/chunked")).rejects.toMatchObject({ code: "unsupported" });
  expect((await read("layers/aa/short", 10)).toString()).toBe("0123456789");
  await expect(read("layers/aa/short", 20)).rejects.toMatchObject({ code: "invalid-input" });
  await store.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("a signal that fires when an answer has arrived but was not read to its end harms no other request", async () => {
  const bytes = patternBytes(1000);
  await writer.put("layers/aa/late", bytesContent(bytes), { signal });
  const store = createHttpStore(nginx.url, client());
  for (let time = 0; time < 20; time += 1) {
    const controller = new AbortController();
    const reading = store.read("layers/aa/late", undefined, controller.signal)[Symbol.asyncIterator]();
    expect((await reading.next()).value?.length).toBe(1000);
    controller.abort(new Error("late"));
    await reading.next().catch(() => undefined);
    expect((await collect(store.read("layers/aa/late", undefined, signal), 1000)).equals(bytes)).toBe(true);
  }
  await store.close();
});

test("an image is pulled by its name from a plain web server, and damage on the server is noticed", () => {
  const env = { KEYFRAME_HOME: join(folder, "home") };
  const file = join(folder, "disk.raw");
  appendFileSync(file, patternBytes(700_000));
  expect(runKeyframe(["image", "create", file, "--name", "web/base", "--store", root], env)).toMatchObject({
    code: 0,
  });
  const pulled = runKeyframe(["image", "pull", "web/base", nginx.url, "--json"], env);
  expect(pulled, pulled.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(pulled.stdout)).toMatchObject({ name: "web/base", copiedLayers: 1 });
  expect(runKeyframe(["image", "verify"], env)).toMatchObject({ code: 0 });
  expect(runKeyframe(["image", "verify", "web/base", "--store", nginx.url], env)).toMatchObject({ code: 0 });
  expect(runKeyframe(["image", "ls", "--store", nginx.url], env)).toMatchObject({ code: 4 });

  const layer = JSON.parse(runKeyframe(["image", "info", "web/base", "--json"], env).stdout).layers[0]
    .id as string;
  const path = join(root, "layers", layer.slice(0, 2), layer);
  const bytes = nodeFiles.read(path);
  bytes[300_000] = (bytes[300_000] ?? 0) ^ 1;
  nodeFiles.replace(path, bytes);
  const other = { KEYFRAME_HOME: join(folder, "other-home") };
  const refused = runKeyframe(["image", "pull", "web/base", nginx.url], other);
  expect(refused).toMatchObject({ code: 5 });
  expect(JSON.parse(runKeyframe(["image", "ls", "--json"], other).stdout)).toMatchObject({ images: [] });
});
