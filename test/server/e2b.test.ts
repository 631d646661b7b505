// Covers src/server/e2b/**.
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyframeError } from "../../src/base/errors.ts";
import type { SandboxId } from "../../src/sandbox/ids.ts";
import type { ReadySnapshot } from "../../src/sandbox/store/snapshot-store.ts";
import { encodeEnvelope, parseEnvelope } from "../../src/server/e2b/connect-protocol.ts";
import { enforceLeases, readLease, type SandboxLease, writeLease } from "../../src/server/e2b/lease.ts";
import { multipartBoundary, parseMultipart } from "../../src/server/e2b/multipart.ts";
import { encodeE2bId, parseE2bId } from "../../src/server/e2b/sandbox-ids.ts";
import { parseMemoryInfo, parseProcessorTimes } from "../../src/server/e2b/sandbox-usage.ts";
import {
  createFakeGuest,
  openTestServer,
  recordRunningSandbox,
  type TestServer,
} from "../support/test-server.ts";

const inside = { "e2b-sandbox-id": "sb0123456789ab", "e2b-sandbox-port": "49983" };

/** One call of a server stream, as the package makes it. */
function call(server: TestServer, method: string, message: object, headers: Record<string, string> = {}) {
  return server.app.request(`http://127.0.0.1:7070/process.Process/${method}`, {
    method: "POST",
    headers: {
      host: "127.0.0.1:7070",
      "content-type": "application/connect+json",
      ...inside,
      ...headers,
    },
    body: Buffer.from(encodeEnvelope(message)),
  });
}

interface Envelope {
  readonly last: boolean;
  readonly message: { event?: Record<string, unknown>; error?: { code: string; message: string } };
}

function parseEnvelopes(bytes: Buffer): Envelope[] {
  const all: Envelope[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at + 1);
    all.push({ last: bytes[at] === 2, message: JSON.parse(bytes.toString("utf8", at + 5, at + 5 + size)) });
    at += 5 + size;
  }
  return all;
}

const envelopesOf = async (answer: Response) => parseEnvelopes(Buffer.from(await answer.arrayBuffer()));

function openWithGuest() {
  const guest = createFakeGuest();
  const server = openTestServer({ openGuestSession: guest.open });
  recordRunningSandbox(server.sandboxContext, { env: { A: "sandbox" } });
  return { guest, server };
}

test("ids lose their dash and get it back; nothing else is an id", () => {
  expect(encodeE2bId("sb-0123456789ab" as SandboxId)).toBe("sb0123456789ab");
  expect(parseE2bId("sb0123456789ab")).toBe("sb-0123456789ab");
  for (const text of ["", "sb", "sb0123456789AB", "sb0123456789abc", "../sb0123456789ab"])
    expect(parseE2bId(text), text).toBeUndefined();
});

test("an envelope is read as it was written, and nothing else is one", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (message) => {
      expect(JSON.stringify(parseEnvelope(encodeEnvelope(message)))).toBe(JSON.stringify(message));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        parseEnvelope(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(KeyframeError);
      }
    }),
  );
});

test("a process tells its id first, then what it prints, then how it ended, then the end of the stream", async () => {
  const { guest, server } = openWithGuest();
  const answer = await call(
    server,
    "Start",
    { process: { cmd: "/bin/bash", args: ["-c", "x"], envs: { B: "1" }, cwd: "/srv" }, stdin: false },
    { authorization: `Basic ${Buffer.from("nobody:").toString("base64")}`, "connect-timeout-ms": "60000" },
  );
  await expect.poll(() => guest.commands.length).toBe(1);
  const [command] = guest.commands;
  expect(command?.request).toEqual({
    argv: ["/bin/bash", "-c", "x"],
    env: { A: "sandbox", B: "1" },
    cwd: "/srv",
    user: "nobody",
    timeoutMs: 60_000,
    keep: true,
  });
  command?.stdout.write("out");
  command?.exit({ kind: "code", code: 3, timedOut: false });
  const envelopes = await envelopesOf(answer);
  expect(envelopes.map(({ message }) => message)).toEqual([
    { event: { start: { pid: 101 } } },
    { event: { data: { stdout: Buffer.from("out").toString("base64") } } },
    { event: { end: { exitCode: 3, exited: true, status: "exit status 3", error: "exit status 3" } } },
    {},
  ]);
  expect(envelopes.map(({ last }) => last)).toEqual([false, false, false, true]);
  expect(guest.openCount()).toBe(0);
});

test("a process goes on without its client, and a client that comes back gets what is printed from then on", async () => {
  const { guest, server } = openWithGuest();
  const first = await call(server, "Start", { process: { cmd: "run" }, tag: "mine" });
  const reader = first.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  const [command] = guest.commands;
  // nobody reads: it must not stand still
  const written = command?.stdout.write(Buffer.alloc(256 * 1024, "x"));
  expect(written).toBe(false);
  await expect.poll(() => command?.stdout.writableNeedDrain).toBe(false);
  expect(command?.cancelled).toBe(false);
  const second = await call(server, "Connect", { process: { tag: "mine" } });
  const input = await server.ask(
    "POST",
    "/process.Process/SendInput",
    { process: { pid: 101 }, input: { stdin: Buffer.from("typed").toString("base64") } },
    inside,
  );
  expect(input.status).toBe(200);
  expect(command?.input()).toBe("typed");
  const listed = await server.ask("POST", "/process.Process/List", {}, inside);
  expect(await listed.json()).toEqual({
    processes: [{ pid: 101, tag: "mine", config: { cmd: "run", args: [], envs: {} } }],
  });
  command?.stdout.write("later");
  command?.exit({ kind: "signal", signal: 15, timedOut: false });
  const messages = (await envelopesOf(second)).map(({ message }) => message.event);
  expect(messages[0]).toEqual({ start: { pid: 101 } });
  expect(messages).toContainEqual({ data: { stdout: Buffer.from("later").toString("base64") } });
  expect(messages).toContainEqual({
    end: { exitCode: -1, exited: false, status: "signal: 15", error: "signal: 15" },
  });
  const gone = await server.ask(
    "POST",
    "/process.Process/SendSignal",
    { process: { pid: 101 }, signal: "SIGNAL_SIGKILL" },
    inside,
  );
  expect([gone.status, await gone.json()]).toEqual([
    404,
    { code: "not_found", message: "there is no such process" },
  ]);
});

test("signals reach the process; a kill takes its descendants", async () => {
  const { guest, server } = openWithGuest();
  await call(server, "Start", { process: { cmd: "run" } });
  await expect.poll(() => guest.commands.length).toBe(1);
  const signal = (name: string) =>
    server.ask("POST", "/process.Process/SendSignal", { process: { pid: 101 }, signal: name }, inside);
  await expect.poll(async () => (await signal("SIGNAL_SIGTERM")).status).toBe(200);
  expect(guest.commands[0]?.signals.at(-1)).toBe(15);
  expect((await signal("SIGNAL_SIGKILL")).status).toBe(200);
  expect(guest.commands[0]?.cancelled).toBe(true);
});

test("a process that ran for too long ends its stream with that error", async () => {
  const { guest, server } = openWithGuest();
  const answer = await call(server, "Start", { process: { cmd: "run" } });
  await expect.poll(() => guest.commands.length).toBe(1);
  guest.commands[0]?.exit({ kind: "signal", signal: 9, timedOut: true });
  const last = (await envelopesOf(answer)).at(-1);
  expect(last).toMatchObject({ last: true, message: { error: { code: "deadline_exceeded" } } });
});

test("whatever is wrong with a stream's request is its last envelope, with the protocol's code", async () => {
  const { server } = openWithGuest();
  const rows: readonly (readonly [string, object, Record<string, string>, string])[] = [
    ["Start", { process: {} }, {}, "invalid_argument"],
    ["Start", { process: { cmd: "a\0b" } }, {}, "invalid_argument"],
    [
      "Start",
      { process: { cmd: "a" } },
      { authorization: `Basic ${Buffer.from("a b:").toString("base64")}` },
      "invalid_argument",
    ],
    ["Connect", { process: { pid: 7 } }, {}, "not_found"],
    ["Start", { process: { cmd: "a" } }, { "e2b-sandbox-id": "sbffffffffffff" }, "unavailable"],
    ["Start", { process: { cmd: "a" } }, { "e2b-sandbox-port": "8080" }, "unimplemented"],
  ];
  for (const [method, message, headers, code] of rows) {
    const answer = await call(server, method, message, headers);
    const last = (await envelopesOf(answer)).at(-1);
    expect([answer.status, last?.last, last?.message.error?.code], JSON.stringify(message)).toEqual([
      200,
      true,
      code,
    ]);
  }
  const stopped = await server.ask("GET", "/health", undefined, { "e2b-sandbox-id": "sbffffffffffff" });
  expect(stopped.status).toBe(502);
});

const boundary = "----boundary-of-the-test";

function encodeForm(
  parts: readonly { readonly name: string; readonly fileName: string; readonly content: Uint8Array }[],
) {
  return Buffer.concat([
    ...parts.flatMap(({ name, fileName, content }) => [
      Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${fileName}"\r\ncontent-type: application/octet-stream\r\n\r\n`,
      ),
      content,
      Buffer.from("\r\n"),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
}

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0;
  for (let index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function collect(body: AsyncIterable<Uint8Array>) {
  const parts: { name: string; fileName: string | undefined; content: Buffer }[] = [];
  for await (const part of parseMultipart(body, boundary)) {
    const pieces: Buffer[] = [];
    for await (const piece of part.content) pieces.push(piece);
    parts.push({ name: part.name, fileName: part.fileName, content: Buffer.concat(pieces) });
  }
  return parts;
}

test("a form's parts are what was sent, however it is cut on the way", async () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // what looks like a boundary and is none
    fc
      .array(fc.constantFrom("\r\n", "--", boundary.slice(0, -1), "\r", "x"), { maxLength: 8 })
      .map((texts) => Buffer.from(texts.join(""))),
  );
  const parts = fc.array(
    fc.record({
      name: fc.constantFrom("file", "other"),
      fileName: fc.stringMatching(/^[a-z/. ä]{1,20}$/),
      content: content.map((bytes) => Buffer.from(bytes)),
    }),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(
      parts,
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
      async (sent, sizes) => {
        fc.pre(sent.every((part) => !part.content.includes(`\r\n--${boundary}`)));
        expect(await collect(inPieces(encodeForm(sent), sizes))).toEqual(sent);
      },
    ),
  );
});

test("a form that is cut or is none is an error, never half a file that looks whole", async () => {
  const form = encodeForm([{ name: "file", fileName: "a", content: Buffer.from("content") }]);
  for (let length = 0; length < form.length - 4; length += 1) {
    await expect(collect(inPieces(form.subarray(0, length), [7])), String(length)).rejects.toThrow(
      KeyframeError,
    );
  }
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      await expect(collect(inPieces(bytes, [11]))).rejects.toThrow(KeyframeError);
    }),
  );
  const endless = async function* () {
    yield Buffer.from(`--${boundary}\r\n`);
    for (;;) yield Buffer.alloc(4096, "h");
  };
  await expect(collect(endless())).rejects.toThrow(/malformed/);
});

test("a file that nobody reads does not keep the next one, and text fields are no files", async () => {
  const form = Buffer.concat([
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="note"\r\n\r\ntext\r\n`),
    encodeForm([
      { name: "other", fileName: "large", content: Buffer.alloc(1_000_000, 1) },
      { name: "file", fileName: "a%22b", content: Buffer.from("x") },
    ]),
  ]);
  const names: string[] = [];
  for await (const part of parseMultipart(inPieces(form, [10_000]), boundary)) {
    if (part.name === "other") continue;
    for await (const piece of part.content) names.push(`${part.fileName} ${piece.toString()}`);
  }
  expect(names).toEqual(['a"b x']);
});

test("the boundary is found as clients write it", () => {
  expect(multipartBoundary("multipart/form-data; boundary=abc")).toBe("abc");
  expect(multipartBoundary('Multipart/Form-Data; charset=x; boundary="a b"')).toBe("a b");
  for (const type of ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=a"])
    expect(multipartBoundary(type), type).toBeUndefined();
});

const lease = (endsAtMs: number, more: Partial<SandboxLease> = {}): SandboxLease => ({
  format: 1,
  templateId: "base",
  metadata: {},
  endsAtMs,
  onTimeout: "kill",
  ...more,
});

test("a sandbox whose time is over is ended or paused as it was asked, others are left alone", async () => {
  const done: string[] = [];
  const { server, sandboxContext } = openTestServer({
    removeSandbox: async (_context, record) => void done.push(`kill ${record.id}`),
    suspendSandbox: async (_context, record) => {
      done.push(`pause ${record.id}`);
      return record;
    },
  });
  const add = (index: number, given: SandboxLease | undefined, stopped = false) => {
    const id = `sb-00000000000${index}` as SandboxId;
    recordRunningSandbox(sandboxContext, { id, ...(stopped ? { status: "stopped" as const } : {}) });
    if (given !== undefined) writeLease(server, id, given);
  };
  const now = sandboxContext.clock.nowMs();
  add(1, lease(now - 1));
  add(2, lease(now - 1, { onTimeout: "pause" }));
  add(3, lease(now + 60_000));
  add(4, undefined);
  add(5, lease(now - 1), true);
  // its machine has ended by itself
  add(6, lease(now + 60_000));
  recordRunningSandbox(sandboxContext, {
    id: "sb-000000000006" as SandboxId,
    machine: { process: { pid: 2 ** 30, startedAt: "1", bootId: "none" }, memoryPath: "/none" },
  });
  await enforceLeases(server);
  expect(done.sort()).toEqual(["kill sb-000000000001", "kill sb-000000000006", "pause sb-000000000002"]);
});

test("a sandbox that cannot be ended, or whose lease is damaged, does not keep the others alive", async () => {
  const ended: string[] = [];
  const { ask, server, sandboxContext, warnings } = openTestServer({
    removeSandbox: async (_context, record) => {
      if (record.id.endsWith("1")) throw new KeyframeError("disk-full", "no room to end it");
      ended.push(record.id);
    },
  });
  for (const index of [1, 2, 3]) {
    const id = `sb-00000000000${index}` as SandboxId;
    recordRunningSandbox(sandboxContext, { id });
    writeLease(server, id, lease(0));
  }
  sandboxContext.files.replace(
    `${sandboxContext.home.sandboxFolder("sb-000000000002" as SandboxId)}/lease.json`,
    Buffer.from("{"),
  );
  await enforceLeases(server);
  expect(ended).toEqual(["sb-000000000003"]);
  expect(await (await ask("GET", "/v2/sandboxes")).json()).toHaveLength(3);
  expect(warnings).toHaveLength(2);
  expect(warnings.join("\n")).toContain("no room to end it");
  expect(warnings.join("\n")).toContain("is not a lease");
});

test("a sandbox reaches the internet only if its client asks for it, and its children as it does", async () => {
  const asked: (readonly string[] | undefined)[] = [];
  const { ask } = openTestServer({
    createSandboxes: async (fakeContext, request) => {
      asked.push(request.network?.allow);
      const record = recordRunningSandbox(
        fakeContext,
        request.network === undefined ? {} : { network: request.network },
      );
      return [{ ok: true, sandbox: { record, problems: [], readyMs: 1 } }];
    },
    branchSandbox: async () => {
      const snapshot = { id: "sn-0123456789ab" } as ReadySnapshot;
      const pause = { totalMs: 1, diskMs: 0, deviceMs: 0, scanMs: 0, copyMs: 0, pages: 0 };
      return { id: snapshot.id, pause, durable: Promise.resolve(snapshot) };
    },
    mustBeReady: (_context, record) => record as ReadySnapshot,
    forkSnapshot: async (_context, _snapshot, options) => {
      asked.push(options.network?.allow);
      return [];
    },
  });
  const internet = async () =>
    ((await (await ask("GET", "/sandboxes/sb0123456789ab")).json()) as { allowInternetAccess: boolean })
      .allowInternetAccess;
  await ask("POST", "/v2/sandboxes", { templateID: "base" });
  expect([asked, await internet()]).toEqual([[undefined], false]);
  await ask("POST", "/v2/sandboxes", { templateID: "base", allow_internet_access: true });
  expect(asked[1]).not.toBeUndefined();
  expect(await internet()).toBe(true);
  expect((await ask("POST", "/sandboxes/sb0123456789ab/fork", {})).status).toBe(201);
  expect(asked[2]).toEqual(asked[1]);
});

test("a sandbox that cannot be given an end is removed, not left for ever", async () => {
  const removed: string[] = [];
  const { ask, sandboxContext } = openTestServer({
    createSandboxes: async (fakeContext) => [
      { ok: true, sandbox: { record: recordRunningSandbox(fakeContext), problems: [], readyMs: 1 } },
    ],
    removeSandbox: async (_context, record) => void removed.push(record.id),
  });
  const large = { note: "x".repeat(300 * 1024) };
  expect((await ask("POST", "/v2/sandboxes", { templateID: "base", metadata: large })).status).toBe(413);
  expect(removed).toEqual(["sb-0123456789ab"]);
  expect((await ask("POST", "/v2/sandboxes", { templateID: "base", timeout: 60 })).status).toBe(201);
  expect(removed).toHaveLength(1);
  expect(
    sandboxContext.files
      .listIfExists(sandboxContext.home.sandboxFolder("sb-0123456789ab" as SandboxId))
      ?.map((each) => each.name),
  ).toContain("lease.json");
});

test("two clients that connect to a paused sandbox at once both get it, and it is resumed once", async () => {
  let resumed = 0;
  const { ask, sandboxContext } = openTestServer({
    resumeSandbox: async (fakeContext) => {
      resumed += 1;
      const record = recordRunningSandbox(fakeContext);
      if (resumed > 1) throw new KeyframeError("refused", "sandbox is not stopped");
      return { record, problems: [], readyMs: 1 };
    },
  });
  recordRunningSandbox(sandboxContext, { status: "stopped" });
  const connect = () => ask("POST", "/v2/sandboxes/sb0123456789ab/connect", {});
  const answers = await Promise.all([connect(), connect()]);
  expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 201]);
});

test("what is missing here is not taken for a sandbox or file that is not there", async () => {
  const { ask, sandboxContext } = openTestServer();
  recordRunningSandbox(sandboxContext);
  for (const [method, path] of [
    ["PUT", "/sandboxes/sb0123456789ab/network"],
    ["POST", "/v3/templates"],
    ["GET", "/volumes"],
    ["POST", "/filesystem.Filesystem/WatchDir"],
    ["POST", "/filesystem.Filesystem/CreateWatcher"],
  ] as const) {
    const answer = await ask(method, path, method === "GET" ? undefined : {}, inside);
    expect([path, answer.status]).toEqual([path, 501]);
    expect([501, "unimplemented"]).toContain(((await answer.json()) as { code: unknown }).code);
  }
});

test("to connect may only lengthen a life; to set it may shorten it", async () => {
  const { ask, server, sandboxContext } = openTestServer();
  const { id } = recordRunningSandbox(sandboxContext);
  const now = sandboxContext.clock.nowMs();
  writeLease(server, id, lease(now + 3_600_000));
  await ask("POST", "/v2/sandboxes/sb0123456789ab/connect", { timeout: 60 });
  expect(readLease(server, id)?.endsAtMs).toBe(now + 3_600_000);
  await ask("POST", "/v2/sandboxes/sb0123456789ab/connect", { timeout: 7200 });
  expect(readLease(server, id)?.endsAtMs).toBeGreaterThanOrEqual(now + 7_200_000);
  expect((await ask("POST", "/sandboxes/sb0123456789ab/timeout", { timeout: 60 })).status).toBe(204);
  expect(readLease(server, id)?.endsAtMs).toBeLessThan(now + 3_600_000);
});

test("lists are filtered by metadata and state and come in pages without a gap or a repetition", async () => {
  const { ask, server, sandboxContext } = openTestServer();
  for (let index = 0; index < 7; index += 1) {
    const id = `sb-00000000000${index}` as SandboxId;
    recordRunningSandbox(sandboxContext, {
      id,
      createdAtMs: index,
      ...(index === 6 ? { status: "stopped" as const } : {}),
    });
    writeLease(server, id, lease(1, { metadata: { even: String(index % 2 === 0), "ä&=": "1" } }));
  }
  const seen: string[] = [];
  for (let token: string | null = ""; token !== null; ) {
    const answer = await ask(
      "GET",
      `/v2/sandboxes?limit=2&state=running${token === "" ? "" : `&nextToken=${token}`}`,
    );
    seen.push(...((await answer.json()) as { sandboxID: string }[]).map((each) => each.sandboxID));
    token = answer.headers.get("x-next-token");
  }
  expect(seen).toEqual([5, 4, 3, 2, 1, 0].map((index) => `sb00000000000${index}`));
  const metadata = new URLSearchParams({ even: "true", [encodeURIComponent("ä&=")]: "1" }).toString();
  const filtered = await ask(
    "GET",
    `/v2/sandboxes?metadata=${encodeURIComponent(metadata)}&state=running,paused&order=asc`,
  );
  expect(((await filtered.json()) as { state: string }[]).map((each) => each.state)).toEqual([
    "running",
    "running",
    "running",
    "paused",
  ]);
});

test("what sandboxes here do not have is refused, never left out in silence", async () => {
  const { ask } = openTestServer();
  for (const wish of [
    { network: { allowOut: [] } },
    { volumeMounts: [] },
    { mcp: {} },
    { autoResume: { enabled: true } },
    { autoPauseMemory: false },
  ]) {
    const answer = await ask("POST", "/v2/sandboxes", { templateID: "base", ...wish });
    expect(answer.status, JSON.stringify(wish)).toBe(501);
  }
  const template = await ask("POST", "/v2/sandboxes", { templateID: "base" });
  expect(await template.json()).toMatchObject({ code: 404, message: expect.stringContaining("base") });
});

test("the guest's own figures are read as Linux writes them, and are zero where it says something else", () => {
  expect(parseProcessorTimes("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 1 1 1\n")).toEqual({
    total: 100,
    busy: 30,
  });
  expect(parseMemoryInfo("MemTotal:  2048 kB\nMemAvailable:  1024 kB\nCached:  512 kB\n")).toEqual({
    totalBytes: 2048 * 1024,
    availableBytes: 1024 * 1024,
    cachedBytes: 512 * 1024,
  });
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const value of [
        ...Object.values(parseProcessorTimes(text)),
        ...Object.values(parseMemoryInfo(text)),
      ])
        expect(Number.isFinite(value)).toBe(true);
    }),
  );
});
