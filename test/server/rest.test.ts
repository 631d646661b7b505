// Covers src/server/rest/**, src/server/context/**.
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyframeError } from "../../src/base/errors.ts";
import type { SnapshotId } from "../../src/sandbox/ids.ts";
import type { ForkResult } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { type ReadySnapshot, saveSnapshotRecord } from "../../src/sandbox/store/snapshot-store.ts";
import { maxJsonBytes } from "../../src/server/requests/limits.ts";
import {
  createFakeGuest,
  openTestServer,
  pause,
  recordRunningSandbox,
  recordSnapshot,
} from "../support/test-server.ts";

async function linesOf(answer: Response): Promise<Record<string, unknown>[]> {
  return (await answer.text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("the description names every route of the REST interface, in OpenAPI 3.1", async () => {
  const { app, ask } = openTestServer();
  const document = (await (await ask("GET", "/openapi.json")).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { summary?: string; responses: Record<string, unknown> }>>;
  };
  expect(document.openapi).toBe("3.1.0");
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      expect(operation.summary, path).toBeTruthy();
      expect(Object.keys(operation.responses), path).toContain("default");
      return `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`;
    }),
  );
  const served = app.routes
    .filter((route) => route.path.startsWith("/v1/") && route.method !== "ALL")
    .map((route) => `${route.method} ${route.path}`);
  expect(described.sort()).toEqual([...new Set(served)].sort());
  // every reference has a target
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
    expect(text).toContain(`"${name}":{`);
});

test("a command's output arrives piece by piece with its exit, and its environment is the sandbox's and its own", async () => {
  const guest = createFakeGuest();
  const { ask, sandboxContext } = openTestServer({ openGuestSession: guest.open });
  const { id } = recordRunningSandbox(sandboxContext, { env: { A: "sandbox", B: "sandbox" } });
  const answer = await ask("POST", `/v1/sandboxes/${id}/exec`, {
    argv: ["cat"],
    env: { B: "request" },
    cwd: "/srv",
    user: "nobody",
    timeoutMs: 5000,
    stdin: Buffer.from("typed").toString("base64"),
  });
  const command = guest.commands[0];
  expect(command?.request).toEqual({
    argv: ["cat"],
    env: { A: "sandbox", B: "request" },
    cwd: "/srv",
    user: "nobody",
    timeoutMs: 5000,
  });
  expect(command?.input()).toBe("typed");
  command?.stdout.write(Buffer.from([0xff, 0x00]));
  command?.stderr.write("err");
  command?.exit({ kind: "code", code: 7, timedOut: false });
  const events = await linesOf(answer);
  expect(events[0]).toEqual({ type: "started", pid: 101 });
  expect(events).toContainEqual({ type: "stdout", data: Buffer.from([0xff, 0x00]).toString("base64") });
  expect(events).toContainEqual({ type: "stderr", data: Buffer.from("err").toString("base64") });
  expect(events.at(-1)).toEqual({ type: "exit", code: 7, signal: null, timedOut: false });
  expect(guest.openCount()).toBe(0);
});

test("a client that goes away ends its command, and the conversation with the guest", async () => {
  const guest = createFakeGuest();
  const { ask, sandboxContext, audited } = openTestServer({ openGuestSession: guest.open });
  const { id } = recordRunningSandbox(sandboxContext);
  const answer = await ask("POST", `/v1/sandboxes/${id}/exec`, { argv: ["sleep", "inf"] });
  const reader = answer.body?.getReader();
  await reader?.read();
  expect(guest.commands[0]?.cancelled).toBe(false);
  await reader?.cancel();
  await expect.poll(() => [guest.commands[0]?.cancelled, guest.openCount()]).toEqual([true, 0]);
  expect(audited()).toHaveLength(1);
});

test("a reader that does not read holds the command back instead of filling memory", async () => {
  const guest = createFakeGuest();
  const { ask, sandboxContext } = openTestServer({ openGuestSession: guest.open });
  const { id } = recordRunningSandbox(sandboxContext);
  const answer = await ask("POST", `/v1/sandboxes/${id}/exec`, { argv: ["yes"] });
  const command = guest.commands[0];
  let taken = 0;
  const piece = Buffer.alloc(64 * 1024, "x");
  // writes while the command's own pipe takes more, with turns of the event loop for whoever would read on
  for (let round = 0; round < 200 && command?.stdout.writableNeedDrain === false; round += 1) {
    command.stdout.write(piece);
    taken += piece.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(taken).toBeLessThan(2 * 1024 * 1024);
  const reading = linesOf(answer);
  command?.exit({ kind: "code", code: 0, timedOut: false });
  const bytes = (await reading)
    .filter((event) => event["type"] === "stdout")
    .reduce((sum, event) => sum + Buffer.from(String(event["data"]), "base64").length, 0);
  expect(bytes).toBe(taken);
});

test("twenty commands at once share one conversation with the guest", async () => {
  const guest = createFakeGuest();
  const { ask, sandboxContext } = openTestServer({ openGuestSession: guest.open });
  const { id } = recordRunningSandbox(sandboxContext);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => ask("POST", `/v1/sandboxes/${id}/exec`, { argv: ["true"] })),
  );
  expect([guest.commands.length, guest.openCount()]).toEqual([20, 1]);
  for (const command of guest.commands) command.exit({ kind: "code", code: 0, timedOut: false });
  await Promise.all(answers.map(linesOf));
  expect(guest.openCount()).toBe(0);
});

test("a guest that does not answer is an error, and the next request tries again", async () => {
  let tries = 0;
  const guest = createFakeGuest();
  const { ask, sandboxContext } = openTestServer({
    openGuestSession: async (...args) => {
      tries += 1;
      if (tries === 1) throw new KeyframeError("timed-out", "the guest did not answer");
      return guest.open(...args);
    },
  });
  const { id } = recordRunningSandbox(sandboxContext);
  expect((await ask("POST", `/v1/sandboxes/${id}/exec`, { argv: ["true"] })).status).toBe(504);
  const answer = await ask("POST", `/v1/sandboxes/${id}/exec`, { argv: ["true"] });
  expect(answer.status).toBe(200);
  guest.commands[0]?.exit({ kind: "code", code: 0, timedOut: false });
  await answer.text();
});

test("a command in a sandbox that does not run is refused before anything is sent", async () => {
  const { ask, sandboxContext } = openTestServer();
  const { id } = recordRunningSandbox(sandboxContext, { status: "stopped" });
  const answer = await ask("POST", `/v1/sandboxes/${id}/exec`, { argv: ["true"] });
  expect(answer.status).toBe(409);
  expect(await answer.json()).toMatchObject({
    error: { code: "refused", hint: expect.stringContaining("resume") },
  });
});

test("each child of a fork has its own result: what failed is named beside what runs", async () => {
  const { ask, sandboxContext } = openTestServer({
    forkSnapshot: async (fakeContext, _snapshot, { count }) =>
      Array.from(
        { length: count },
        (_, index): ForkResult =>
          index === 1
            ? { ok: false, error: new KeyframeError("disk-full", "no room", { hint: "free some" }) }
            : {
                ok: true,
                sandbox: {
                  record: recordRunningSandbox(fakeContext),
                  problems: ["clock: denied"],
                  readyMs: 5,
                },
              },
      ),
  });
  recordSnapshot(sandboxContext);
  const answer = await ask("POST", "/v1/snapshots/sn-0123456789ab/fork", { count: 3 });
  expect(answer.status).toBe(201);
  expect(await answer.json()).toMatchObject([
    { ok: true, id: "sb-0123456789ab", problems: ["clock: denied"] },
    { ok: false, error: { code: "disk-full", message: "no room", hint: "free some" } },
    { ok: true },
  ]);
  expect(await (await ask("GET", "/metrics")).text()).toContain("keyframe_start_ready_seconds_count 2");
});

test("a snapshot that is not waited for is answered while it is written, and its failure is said", async () => {
  let fail: (error: Error) => void = () => undefined;
  const durable = new Promise<ReadySnapshot>((_resolve, reject) => {
    fail = reject;
  });
  const { ask, sandboxContext, server, warnings } = openTestServer({
    branchSandbox: async () => ({ id: "sn-0123456789ab" as SnapshotId, pause, durable }),
  });
  const ready = recordSnapshot(sandboxContext);
  saveSnapshotRecord(sandboxContext, {
    ...ready,
    state: "writing",
    writer: sandboxContext.processTable.self(),
  });
  const { id } = recordRunningSandbox(sandboxContext);
  const answer = await ask("POST", `/v1/sandboxes/${id}/snapshots`, { wait: false });
  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ id: "sn-0123456789ab", state: "writing", pauseMs: 12 });
  fail(new KeyframeError("disk-full", "no room for the snapshot"));
  await server.background.settled();
  expect(warnings.join()).toContain("no room for the snapshot");
  expect(await (await ask("GET", "/metrics")).text()).toContain(
    'keyframe_branch_pause_seconds_bucket{le="0.015"} 1',
  );
});

test("a pack goes out and comes in byte for byte, and nothing is left beside the snapshots", async () => {
  const pack = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 7) & 255));
  const taken: Buffer[] = [];
  const { app, ask, sandboxContext } = openTestServer({
    packSnapshot: async (_context, _head, target) => {
      sandboxContext.files.replace(target, pack);
      return { sizeBytes: pack.length };
    },
    unpackSnapshot: async (_context, source, name) => {
      taken.push(sandboxContext.files.read(source));
      if (name === "damaged") throw new KeyframeError("damaged", "not a Keyframe pack");
      return recordSnapshot(sandboxContext);
    },
  });
  recordSnapshot(sandboxContext);
  const out = await ask("GET", "/v1/snapshots/sn-0123456789ab/pack");
  expect(out.headers.get("content-length")).toBe(String(pack.length));
  expect(Buffer.from(await out.arrayBuffer()).equals(pack)).toBe(true);
  const unpack = (name: string) =>
    app.request(`http://127.0.0.1/v1/snapshots/unpack?name=${name}`, {
      method: "POST",
      headers: { host: "127.0.0.1" },
      body: pack,
    });
  expect((await unpack("fine")).status).toBe(201);
  expect((await unpack("damaged")).status).toBe(400);
  expect(taken.map((bytes) => bytes.equals(pack))).toEqual([true, true]);
  expect(sandboxContext.files.listIfExists(sandboxContext.home.folder("staging"))).toEqual([]);
});

test("removing, forking and compacting refuse as the commands do", async () => {
  const { ask, sandboxContext } = openTestServer();
  const parent = recordSnapshot(sandboxContext, { name: "base" as ReadySnapshot["name"] & string });
  const childId = "sn-ba9876543210" as SnapshotId;
  recordSnapshot(sandboxContext, { id: childId, parent: { id: parent.id, seal: parent.seal } });
  const refused = await ask("DELETE", "/v1/snapshots/base");
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ error: { code: "in-use" } });
  expect(await (await ask("GET", "/v1/snapshot-tree")).json()).toEqual([
    { id: parent.id, name: "base", children: [{ id: childId, name: null, children: [] }] },
  ]);
  const removed = await ask("DELETE", "/v1/snapshots/base?cascade=true");
  expect(await removed.json()).toEqual({ snapshots: [childId, parent.id], sandboxes: [] });
  expect(await (await ask("GET", "/v1/snapshots")).json()).toEqual([]);
});

test("a body that is too large, of another type, cut or unknown is named as that", async () => {
  const { ask, sandboxContext } = openTestServer();
  const { id } = recordRunningSandbox(sandboxContext);
  const large = { argv: ["x".repeat(maxJsonBytes)] };
  const rows: readonly (readonly [unknown, Record<string, string>, number])[] = [
    [large, {}, 413],
    ['{"argv":["true"]', {}, 400],
    [{ argv: ["true"], surprise: 1 }, {}, 400],
    [{ argv: [] }, {}, 400],
    [{ argv: ["a\0b"] }, {}, 400],
    [{ argv: ["true"], env: { "A=B": "c" } }, {}, 400],
    [{ argv: ["true"] }, { "content-type": "text/plain" }, 400],
    [undefined, {}, 400],
  ];
  for (const [body, headers, status] of rows) {
    const answer = await ask("POST", `/v1/sandboxes/${id}/exec`, body, headers);
    expect([JSON.stringify(body)?.slice(0, 40), answer.status]).toEqual([
      JSON.stringify(body)?.slice(0, 40),
      status,
    ]);
  }
  // options that may be left out are not dropped in silence either
  const plain = await ask("POST", `/v1/sandboxes/${id}/resume`, "ttlSeconds=5", {
    "content-type": "text/plain",
  });
  expect(plain.status).toBe(400);
});

test("no body, query or id makes the server fail: any request has an answer that says what is wrong", async () => {
  const { app, ask, sandboxContext, warnings } = openTestServer({
    createSandboxes: () => Promise.reject(new KeyframeError("not-found", "no such image")),
    buildImage: () => Promise.reject(new KeyframeError("program-missing", "no mmdebstrap")),
    branchSandbox: () => Promise.reject(new KeyframeError("guest-gone", "no machine")),
    suspendSandbox: () => Promise.reject(new KeyframeError("guest-gone", "no machine")),
    openGuestSession: () => Promise.reject(new KeyframeError("guest-gone", "no machine")),
  });
  recordRunningSandbox(sandboxContext);
  const routes = app.routes.filter((route) => route.method !== "ALL" && route.path !== "/*");
  const value = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        argv: fc.array(fc.string()),
        from: fc.string(),
        name: fc.oneof(fc.string(), fc.integer()),
        count: fc.oneof(fc.double(), fc.integer()),
        env: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer())),
        templateID: fc.string(),
        timeout: fc.double(),
        process: fc.oneof(fc.record({ pid: fc.integer() }), fc.record({ cmd: fc.string() })),
        path: fc.string(),
        keep: fc.integer(),
      },
      { requiredKeys: [] },
    ),
  );
  const id = fc.oneof(
    fc.constantFrom("sb-0123456789ab", "sb0123456789ab", "..", "%2e%2e%2f", "a/b"),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      value,
      id,
      fc.string(),
      fc.boolean(),
      async (at, body, name, query, envelope) => {
        recordRunningSandbox(sandboxContext); // an earlier request may have removed it
        const route = routes[at % routes.length];
        if (route === undefined) return;
        const path = route.path.replace(/:\w+/g, encodeURIComponent(name));
        const text = JSON.stringify(body);
        const framed = `\0${String.fromCharCode(0, 0, text.length >> 8, text.length & 255)}${text}`;
        const answer = await ask(
          route.method,
          `${path}?path=${encodeURIComponent(query)}&limit=${encodeURIComponent(query)}`,
          route.method === "GET" ? undefined : envelope ? framed : text,
          { "e2b-sandbox-id": "sb0123456789ab" },
        );
        await answer.text();
        expect(answer.status, `${route.method} ${path} ${text}`).not.toBe(500);
      },
    ),
    { numRuns: 300 },
  );
  expect(warnings).toEqual([]);
});
