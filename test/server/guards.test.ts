// Covers src/server/*, src/server/requests/**.
import fc from "fast-check";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/base/error-codes.ts";
import { KeyframeError } from "../../src/base/errors.ts";
import { checkOrigin, sameText } from "../../src/server/requests/access.ts";
import { openAuditLog } from "../../src/server/requests/audit-log.ts";
import { httpStatuses } from "../../src/server/requests/http-status.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { scratchFolder } from "../support/scratch.ts";
import { createFakeGuest, openTestServer, recordRunningSandbox } from "../support/test-server.ts";

const token = "a-token-of-the-server-1234";

test("without a token, only requests that call the server by a name of this machine are answered", async () => {
  const { ask } = openTestServer();
  for (const host of ["127.0.0.1:7070", "localhost:7070", "LOCALHOST", "[::1]:7070", "49983-sb1.localhost"]) {
    expect((await ask("GET", "/v1/sandboxes", undefined, { host })).status, host).toBe(200);
  }
  for (const host of [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "",
    "evil@127.0.0.1.x",
  ]) {
    const answer = await ask("GET", "/v1/sandboxes", undefined, { host });
    expect(answer.status, host).toBe(403);
    expect(await answer.json()).toMatchObject({ error: { code: "foreign-origin" } });
  }
});

test("a web page of another origin is refused on every interface, with or without a token", async () => {
  for (const server of [openTestServer(), openTestServer({}, { token })]) {
    for (const path of ["/v1/sandboxes", "/sandboxes", "/files", "/metrics", "/healthz"]) {
      for (const headers of [
        { origin: "http://evil.example" },
        { origin: "null" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
      ]) {
        const answer = await server.ask("GET", path, undefined, {
          authorization: `Bearer ${token}`,
          "x-api-key": token,
          ...headers,
        });
        expect(answer.status, `${path} ${JSON.stringify(headers)}`).toBe(403);
      }
    }
  }
  const own = { origin: "http://127.0.0.1:7070", "sec-fetch-site": "same-origin" };
  expect((await openTestServer().ask("GET", "/v1/sandboxes", undefined, own)).status).toBe(200);
});

test("with a token, every route but the health check asks for it", async () => {
  const { app, ask } = openTestServer({}, { token });
  const open: string[] = [];
  for (const route of app.routes) {
    if (route.method === "ALL") continue;
    const path = route.path.replace(/:\w+/g, "sb-0123456789ab");
    const answer = await ask(route.method, path, undefined, {
      "e2b-sandbox-id": "sb0123456789ab",
      "x-access-token": "f".repeat(64),
      "x-api-key": `${token}x`,
    });
    if (answer.status !== 401) open.push(`${route.method} ${path}`);
  }
  expect(open).toEqual(["GET /healthz"]);
  expect((await ask("GET", "/v1/images", undefined, { authorization: `Bearer ${token}` })).status).toBe(200);
  expect((await ask("GET", "/v2/sandboxes", undefined, { "x-api-key": token })).status).toBe(200);
  expect(
    (await ask("GET", "/v1/images", undefined, { authorization: `Bearer ${token.slice(1)}` })).status,
  ).toBe(401);
});

test("a sandbox's own token opens that sandbox and nothing else", async () => {
  const guest = createFakeGuest();
  const { ask, sandboxContext } = openTestServer({ openGuestSession: guest.open }, { token });
  const record = recordRunningSandbox(sandboxContext);
  const info = await ask("POST", "/v2/sandboxes/sb0123456789ab/connect", {}, { "x-api-key": token });
  const own = ((await info.json()) as { envdAccessToken: string }).envdAccessToken;
  const inside = (id: string, value: string) =>
    ask("GET", "/health", undefined, { "e2b-sandbox-id": id, "x-access-token": value });
  expect((await inside("sb0123456789ab", own)).status).toBe(204);
  expect((await inside("sb0123456789ab", token)).status).toBe(401);
  expect((await inside("sbba9876543210", own)).status).toBe(401);
  expect((await ask("GET", "/v1/sandboxes", undefined, { authorization: `Bearer ${own}` })).status).toBe(401);
  expect((await ask("DELETE", `/sandboxes/${record.id}`, undefined, { "x-api-key": own })).status).toBe(401);
});

test("texts are compared by all of their bytes", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(sameText(a, b)).toBe(a === b);
      expect(sameText(a, a)).toBe(true);
    }),
  );
});

test("no host name but those of this machine passes", () => {
  fc.assert(
    fc.property(fc.webAuthority(), (host) => {
      const local = /^(?:localhost|127\.0\.0\.1)(?::\d+)?$|\.localhost(?::\d+)?$/.test(host);
      fc.pre(!local);
      expect(() =>
        checkOrigin({ token: undefined, localOnly: true }, { host, origin: undefined, fetchSite: undefined }),
      ).toThrow(KeyframeError);
    }),
  );
});

test("every error code has a status that says whose fault it is", () => {
  for (const code of Object.keys(errorCodes) as (keyof typeof errorCodes)[]) {
    expect(httpStatuses[code], code).toBeGreaterThanOrEqual(400);
    expect(httpStatuses[code], code).toBeLessThan(600);
  }
});

test("an error of the library arrives with its code, its hint and its status", async () => {
  const { ask } = openTestServer({
    findSandbox: () => {
      throw new KeyframeError("disk-full", "no room in /x", { hint: "free some space" });
    },
  });
  const answer = await ask("GET", "/v1/sandboxes/any");
  expect(answer.status).toBe(507);
  expect(await answer.json()).toEqual({
    error: { code: "disk-full", message: "no room in /x", hint: "free some space" },
  });
  const e2b = await ask("GET", "/sandboxes/sb0123456789ab");
  expect(await e2b.json()).toEqual({ code: 507, message: "no room in /x" });
});

test("a defect is answered without its text, which the server's log has", async () => {
  const { ask, warnings } = openTestServer({
    listSandboxes: () => {
      throw new TypeError("secret inner state");
    },
  });
  const answer = await ask("GET", "/v1/sandboxes");
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("secret");
  expect(warnings.join()).toContain("secret inner state");
});

test("more requests than allowed are told to come back, and counted down again when one ends", async () => {
  const guest = createFakeGuest();
  const { ask, sandboxContext } = openTestServer({ openGuestSession: guest.open }, { maxRequests: 1 });
  const { id } = recordRunningSandbox(sandboxContext);
  const first = await ask("POST", `/v1/sandboxes/${id}/exec`, { argv: ["sleep"] });
  const second = await ask("GET", "/v1/sandboxes");
  expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await second.json()).toMatchObject({ error: { code: "busy" } });
  guest.commands[0]?.exit({ kind: "code", code: 0, timedOut: false });
  await first.text();
  expect((await ask("GET", "/v1/sandboxes")).status).toBe(200);
});

test("the audit log has a line for each request and none of its secrets", async () => {
  const guest = createFakeGuest();
  const { ask, sandboxContext, audited } = openTestServer({ openGuestSession: guest.open }, { token });
  const { id } = recordRunningSandbox(sandboxContext);
  const auth = { authorization: `Bearer ${token}` };
  const answer = await ask(
    "POST",
    `/v1/sandboxes/${id}/exec?key=query-secret`,
    {
      argv: ["true"],
      env: { PASSWORD: "env-secret" },
      stdin: Buffer.from("stdin-secret").toString("base64"),
    },
    auth,
  );
  guest.commands[0]?.exit({ kind: "code", code: 0, timedOut: false });
  await answer.text();
  await ask("GET", "/v1/sandboxes", undefined, { authorization: "Bearer wrong-secret-token" });
  expect(audited()).toMatchObject([
    { method: "POST", path: `/v1/sandboxes/${id}/exec`, status: 200, principal: "token" },
    { method: "GET", path: "/v1/sandboxes", status: 401, principal: "none", error: "unauthorized" },
  ]);
  expect(answer.headers.get("x-request-id")).toBe(audited()[0]?.["id"]);
  expect(JSON.stringify(audited())).not.toMatch(/secret|a-token-of/);
  expect(sandboxContext.files.statIfExists(`${sandboxContext.home.root}/audit.log`)?.mode).toBe(0o600);
});

test("the audit log is bounded: old files go, and every kept line is whole", () => {
  const folder = scratchFolder();
  const warnings: string[] = [];
  const log = openAuditLog(
    `${folder}/audit.log`,
    { files: nodeFiles, clock: nodeClock, warn: (text) => void warnings.push(text) },
    1_000,
  );
  for (let index = 0; index < 200; index += 1) {
    log.write({
      id: String(index),
      method: "GET",
      path: `/${"x".repeat(2_000)}`,
      status: 200,
      durationMs: 1,
      principal: "none",
      remote: "",
    });
  }
  const names = (nodeFiles.listIfExists(folder) ?? []).map((entry) => entry.name);
  expect(names).toEqual(["audit.log", "audit.log.1", "audit.log.2", "audit.log.3", "audit.log.4"]);
  const lines = names.flatMap((name) => nodeFiles.read(`${folder}/${name}`).toString().trim().split("\n"));
  const ids = lines.map((line) => Number((JSON.parse(line) as { id: string }).id)).sort((a, b) => a - b);
  expect(ids).toEqual(Array.from({ length: ids.length }, (_, index) => 200 - ids.length + index));
  expect(warnings).toEqual([]);
});

test("a log that cannot be written is said once and stops no request", async () => {
  const { ask, sandboxContext, warnings } = openTestServer();
  sandboxContext.files.makeFolder(`${sandboxContext.home.root}/audit.log`);
  expect((await ask("GET", "/v1/sandboxes")).status).toBe(200);
  expect((await ask("GET", "/v1/sandboxes")).status).toBe(200);
  expect(warnings).toHaveLength(1);
});

test("metrics name routes by their pattern, so that no caller makes their number grow", async () => {
  const { ask } = openTestServer();
  for (let index = 0; index < 20; index += 1) {
    await ask("GET", `/v1/sandboxes/none-${index}`);
    await ask("GET", `/no-such-route-${index}`);
  }
  const text = await (await ask("GET", "/metrics")).text();
  expect(text).toContain(
    'keyframe_http_request_duration_seconds_count{method="GET",route="/v1/sandboxes/:sandbox",status="404"} 20',
  );
  expect(text).not.toContain("none-");
  expect(text).not.toContain("no-such-route");
  expect(text).toContain('keyframe_sandboxes{state="running"} 0');
  expect(text).toContain('keyframe_errors_total{code="not-found"} 40');
});
