// Covers src/blocks/stores/s3/**.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesContent, collect } from "../../../../src/blocks/stores/interface/object-content.ts";
import type { ObjectStore } from "../../../../src/blocks/stores/interface/object-store.ts";
import { withRequestRetry } from "../../../../src/blocks/stores/interface/with-request-retry.ts";
import { withRetry } from "../../../../src/blocks/stores/interface/with-retry.ts";
import { mustHaveCredentials, readAwsSettings } from "../../../../src/blocks/stores/s3/aws-settings.ts";
import { parseS3Location } from "../../../../src/blocks/stores/s3/s3-location.ts";
import { createS3Requests } from "../../../../src/blocks/stores/s3/s3-requests.ts";
import { createS3Store } from "../../../../src/blocks/stores/s3/s3-store.ts";
import { nodeClock } from "../../../../src/system/clock.ts";
import { nodeFiles } from "../../../../src/system/files/files.ts";
import { createNodeHttpClient } from "../../../../src/system/net/http.ts";
import { nodeRandom } from "../../../../src/system/random.ts";
import { neverAborted as signal } from "../../../support/image-repository.ts";
import { runKeyframe } from "../../../support/keyframe-program.ts";
import { patternBytes } from "../../../support/memory-image.ts";
import { describeObjectStore } from "../../../support/object-store-suite.ts";
import { type S3Server, startCephGateway } from "../../../support/real-servers.ts";

const folder = mkdtempSync(join(tmpdir(), "keyframe-s3-"));
const longBytes = 20 * 1024 * 1024 + 7;
let gateway: S3Server;

beforeAll(async () => {
  gateway = await startCephGateway(join(folder, "ceph"));
  const { location, credentials, client } = place("s3://images");
  const made = await createS3Requests(location, credentials, client).send({ method: "PUT", signal });
  expect(made.status).toBe(200);
  made.discard();
  client.close();
});

afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

function place(text: string, env = gateway.env) {
  const settings = readAwsSettings(env, nodeFiles);
  return {
    location: parseS3Location(text, settings),
    credentials: mustHaveCredentials(settings),
    client: createNodeHttpClient({ maxConnections: 8, idleTimeoutMs: 30_000 }),
  };
}

function openS3(prefix: string, env = gateway.env): ObjectStore {
  const { location, credentials, client } = place(`s3://images/${prefix}`, env);
  return createS3Store(location, credentials, client);
}

describeObjectStore(
  "S3 (Ceph)",
  async () => {
    const store = openS3("suite/one");
    return { store, writer: store };
  },
  { longBytes, propertyRuns: 15 },
);

test("an upload that broke off goes on with the parts that are there", async () => {
  const store = openS3("resume");
  const bytes = patternBytes(longBytes);
  const key = "layers/aa/resumed";
  const content = bytesContent(bytes);
  let onStored: () => void = () => undefined;
  const partStored = new Promise<void>((resolve) => {
    onStored = resolve;
  });
  const broken = {
    ...content,
    async *open(range: { offsetBytes: number; lengthBytes: number }, inner: AbortSignal) {
      if (range.offsetBytes > 10_000_000) {
        await partStored;
        throw new Error("killed");
      }
      yield* content.open(range, inner);
    },
  };
  await expect(store.put(key, broken, { signal, onProgress: () => onStored() })).rejects.toThrow("killed");
  expect(await store.stat(key, signal)).toBeUndefined();
  const proxy = await startProxy();
  const counted = openS3("resume", { ...gateway.env, AWS_ENDPOINT_URL_S3: proxy.url });
  expect(await counted.put(key, content, { signal })).toBe("created");
  const parts = proxy.requests.filter((line) => line.startsWith("PUT") && line.includes("partNumber"));
  expect(parts.length).toBeGreaterThan(0);
  expect(parts.length).toBeLessThan(3); // of three parts, at least one was there
  expect((await collect(store.read(key, undefined, signal), longBytes)).equals(bytes)).toBe(true);
  await Promise.all([store.close(), counted.close(), proxy.stop()]);
});

test("what a broken upload left is removed once it is old", async () => {
  const store = openS3("unfinished");
  const content = {
    sizeBytes: longBytes,
    open: () => {
      throw new Error("killed");
    },
  };
  await expect(store.put("layers/aa/never", content, { signal })).rejects.toThrow("killed");
  expect(await store.removeUnfinished(Date.now() - 3_600_000, signal)).toBe(0);
  expect(await store.removeUnfinished(Date.now() + 3_600_000, signal)).toBe(1);
  expect(await store.removeUnfinished(Date.now() + 3_600_000, signal)).toBe(0);
  await store.close();
});

test("wrong credentials and a missing bucket are told apart", async () => {
  const wrong = openS3("x", { ...gateway.env, AWS_SECRET_ACCESS_KEY: "wrong" });
  await expect(collect(wrong.read("layers/aa/x", undefined, signal), 10)).rejects.toMatchObject({
    code: "permission-denied",
  });
  const { location, credentials, client } = place("s3://no-such-bucket/x");
  const missing = createS3Store(location, credentials, client);
  await expect(missing.put("layers/aa/x", bytesContent(Buffer.from("x")), { signal })).rejects.toThrow(
    "NoSuchBucket",
  );
  await Promise.all([wrong.close(), missing.close()]);
});

describe("behind a network that fails", () => {
  const isUnlucky = (count: number) => (count * 7919) % 10 < 3;
  test.each([
    ["503 for three of ten requests", (count: number) => (isUnlucky(count) ? "busy" : "pass")],
    [
      "connections that break in the middle of an answer",
      (count: number) => (isUnlucky(count) ? "cut" : "pass"),
    ],
    [
      "an error document under a 200 when an upload is completed",
      (count: number, line: string) =>
        line.startsWith("POST") && line.includes("uploadId") && count < 12 ? "error-in-200" : "pass",
    ],
  ] as const)("%s: a long object arrives whole", async (_, decide) => {
    const proxy = await startProxy(decide);
    let retries = 0;
    const options = {
      policy: { deadlineMs: 30_000, firstDelayMs: 1, maxDelayMs: 20 },
      clock: nodeClock,
      random: nodeRandom,
      onRetry: () => {
        retries += 1;
      },
    };
    const env = { ...gateway.env, AWS_ENDPOINT_URL_S3: proxy.url };
    const { location, credentials, client } = place(`s3://images/faulty/${proxy.port}`, env);
    const store = withRetry(createS3Store(location, credentials, withRequestRetry(client, options)), options);
    const bytes = patternBytes(longBytes, 5);
    await store.put("layers/aa/long", bytesContent(bytes), { signal });
    for (let at = 0; at < 4; at += 1) {
      const range = { offsetBytes: at * 3_000_000, lengthBytes: 3_000_000 };
      expect(
        (await collect(store.read("layers/aa/long", range, signal), longBytes)).equals(
          bytes.subarray(range.offsetBytes, range.offsetBytes + 3_000_000),
        ),
      ).toBe(true);
    }
    expect(retries).toBeGreaterThan(0);
    await Promise.all([store.close(), proxy.stop()]);
  });
});

test("push, kill, push again, pull: the image arrives, and never half of it", async () => {
  const env = { ...gateway.env, KEYFRAME_HOME: join(folder, "home") };
  const target = "s3://images/program";
  const file = join(folder, "disk.raw");
  writeFileSync(file, Buffer.concat([patternBytes(longBytes, 11), patternBytes(longBytes, 12)]));
  expect(runKeyframe(["image", "create", file, "--name", "base"], env)).toMatchObject({ code: 0 });
  for (const point of [
    "s3-store:after-part",
    "s3-store:before-complete",
    "transfer-image:after-layer",
    "publish-image:before-manifest",
  ]) {
    expect(
      runKeyframe(["image", "push", "base", target], { ...env, KEYFRAME_FAULT: point }),
      point,
    ).toMatchObject({ signal: "SIGKILL" });
    expect(
      JSON.parse(runKeyframe(["image", "ls", "--store", target, "--json"], env).stdout),
      point,
    ).toMatchObject({ images: [], problems: [] });
  }
  expect(
    runKeyframe(["image", "push", "base", target], { ...env, KEYFRAME_FAULT: "publish-image:before-name" }),
  ).toMatchObject({ signal: "SIGKILL" });
  expect(runKeyframe(["image", "verify", "--store", target], env)).toMatchObject({ code: 0 });
  const pushed = runKeyframe(["image", "push", "base", target, "--json"], env);
  expect(pushed, pushed.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(pushed.stdout)).toMatchObject({ copiedLayers: 0, presentLayers: 1, name: "base" });
  // the pushes that were killed left their leases: a collection waits until these run out
  expect(runKeyframe(["image", "gc", "--store", target], env)).toMatchObject({ code: 6 });
  const other = { ...env, KEYFRAME_HOME: join(folder, "other") };
  expect(runKeyframe(["image", "pull", "base", target], other)).toMatchObject({ code: 0 });
  expect(runKeyframe(["image", "verify", "base"], other)).toMatchObject({ code: 0 });
  expect(JSON.parse(runKeyframe(["image", "info", "base", "--json"], other).stdout).sizeBytes).toBe(
    2 * longBytes,
  );
});

test("an image is made, found, flattened, removed and collected in a bucket without a folder in between", () => {
  const env = { ...gateway.env, KEYFRAME_HOME: join(folder, "direct") };
  const store = ["--store", "s3://images/direct"];
  const file = join(folder, "direct.raw");
  writeFileSync(file, patternBytes(400_000));
  expect(runKeyframe(["image", "create", file, "--name", "one", ...store], env)).toMatchObject({ code: 0 });
  writeFileSync(file, patternBytes(400_000).fill(1, 8192, 9000));
  const child = runKeyframe(["image", "create", file, "--name", "two", "--parent", "one", ...store], env);
  expect(child, child.stderr).toMatchObject({ code: 0 });
  const differs = runKeyframe(["image", "diff", "one", "two", "--json", ...store], env);
  expect(JSON.parse(differs.stdout)).toMatchObject({ ranges: [{ offsetBytes: 8192, lengthBytes: 4096 }] });
  expect(runKeyframe(["image", "flatten", "two", "--name", "flat", ...store], env)).toMatchObject({
    code: 0,
  });
  for (const name of ["one", "two"])
    expect(runKeyframe(["image", "rm", name, ...store], env)).toMatchObject({ code: 0 });
  const collected = runKeyframe(["image", "gc", "--grace", "0s", "--json", ...store], env);
  expect(JSON.parse(collected.stdout).layers).toHaveLength(2);
  expect(runKeyframe(["image", "verify", ...store], env)).toMatchObject({ code: 0 });
  expect(readdirSync(join(folder, "direct", "cache", "scratch"))).toEqual([]);
});

test("two programs that push different images under one name leave one of them, whole", async () => {
  const target = "s3://images/race";
  const runs = ["a", "b", "c"].map((name, index) => {
    const env = { ...gateway.env, KEYFRAME_HOME: join(folder, `race-${name}`) };
    const file = join(folder, `race-${name}.raw`);
    writeFileSync(file, patternBytes(300_000, index + 20));
    expect(runKeyframe(["image", "create", file, "--name", name], env)).toMatchObject({ code: 0 });
    return { env, name };
  });
  const codes = await Promise.all(
    runs.map(({ env, name }) =>
      exitCode(
        spawn(process.execPath, ["dist/keyframe.cjs", "image", "push", name, target, "--name", "winner"], {
          env: { PATH: process.env["PATH"], ...env },
          stdio: "ignore",
        }),
      ),
    ),
  );
  expect(codes.filter((code) => code === 0)).toHaveLength(1);
  expect(codes.filter((code) => code === 4)).toHaveLength(2);
  const env = { ...gateway.env, KEYFRAME_HOME: join(folder, "race-reader") };
  expect(runKeyframe(["image", "verify", "--store", target], env)).toMatchObject({ code: 0 });
});

function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", resolve));
}

type Decision = "pass" | "busy" | "cut" | "error-in-200";

/** Hands requests on to the gateway, or fails them as told. */
async function startProxy(decide: (count: number, line: string) => Decision = () => "pass") {
  const requests: string[] = [];
  const target = new URL(gateway.url);
  const server = createServer((incoming, outgoing) => {
    const line = `${incoming.method} ${incoming.url}`;
    requests.push(line);
    const decision = decide(requests.length, line);
    if (decision === "busy" || decision === "error-in-200") {
      incoming.resume();
      incoming.on("end", () => {
        outgoing.writeHead(decision === "busy" ? 503 : 200);
        outgoing.end("<Error><Code>InternalError</Code><Message>injected</Message></Error>");
      });
      return;
    }
    const onward = request(
      {
        host: target.hostname,
        port: target.port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (answer: IncomingMessage) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        if (decision === "cut")
          answer.once("data", (piece: Buffer) =>
            outgoing.write(piece.subarray(0, 10), () => outgoing.destroy()),
          );
        else answer.pipe(outgoing);
        if (decision === "cut") answer.once("end", () => outgoing.destroy());
      },
    );
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
