// Covers src/cli/serve/**.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, statSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { runKeyframe } from "../support/keyframe-program.ts";
import { scratchFolder } from "../support/scratch.ts";

/** The program on an empty home; resolves with the line that says where it listens. */
async function serve(home: string, env: Record<string, string>, ...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, ["dist/keyframe.cjs", "serve", ...args], {
    env: { PATH: process.env["PATH"] ?? "", KEYFRAME_SANDBOX_HOME: home, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let notes = "";
  child.stderr?.on("data", (piece: Buffer) => {
    notes += piece.toString();
  });
  const [line] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return { child, line: line.toString().trim(), notes: () => notes };
}

test("a port needs the token also on loopback, unless the user says otherwise", async () => {
  const home = scratchFolder();
  const statusOf = async (url: string) => (await fetch(`${url}/v1/sandboxes`)).status;
  expect(await statusOf((await serve(home, {}, "--port", "0")).line)).toBe(401);
  expect(await statusOf((await serve(home, {}, "--port", "0", "--without-token")).line)).toBe(200);
  for (const args of [
    ["--host", "0.0.0.0", "--without-token"],
    ["--require-token", "--without-token"],
  ])
    expect(runKeyframe(["serve", "--port", "0", ...args], { KEYFRAME_SANDBOX_HOME: home }).code).toBe(2);
});

test("a token that is asked for is made once, kept for this user only, and the same for the next server", async () => {
  const home = scratchFolder();
  const first = await serve(home, {}, "--port", "0", "--require-token");
  const path = `${home}/api-token`;
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const token = readFileSync(path, "latin1").trim();
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  await expect.poll(first.notes).toContain(path);
  const second = await serve(home, {}, "--port", "0", "--require-token");
  for (const { line } of [first, second]) {
    const ask = (bearer: string) =>
      fetch(`${line}/v1/sandboxes`, { headers: { authorization: `Bearer ${bearer}` } });
    expect([(await ask(token)).status, (await ask(token.slice(1))).status]).toEqual([200, 401]);
    expect((await fetch(`${line}/healthz`)).status).toBe(200);
  }
  first.child.kill("SIGTERM");
  expect(await once(first.child, "exit")).toEqual([0, null]);
  expect(`${first.notes()}${readFileSync(`${home}/audit.log`, "utf8")}`).not.toContain(token);
});

test("a token that others can read or that is damaged, and one that is too short, stop the start", () => {
  const home = scratchFolder();
  const start = (env: Record<string, string>, ...args: string[]) =>
    runKeyframe(["serve", "--port", "0", ...args], { KEYFRAME_SANDBOX_HOME: home, ...env });
  expect(start({ KEYFRAME_TOKEN: "short" })).toMatchObject({ code: 2, stdout: "" });
  // the address is not one of this machine: no server is left if the check were missing
  const made = start({}, "--host", "192.0.2.1");
  expect(made.code).not.toBe(0);
  expect(statSync(`${home}/api-token`).mode & 0o777).toBe(0o600);
  chmodSync(`${home}/api-token`, 0o644);
  expect(start({}, "--require-token")).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("api-token"),
  });
});

test("a unix socket takes the place of a port", async () => {
  const home = scratchFolder();
  const socketPath = `${home}/api.sock`;
  const { child, line } = await serve(home, {}, "--socket", socketPath);
  expect(line).toBe(`unix:${socketPath}`);
  const asked = request({ socketPath, path: "/v1/sandboxes", headers: { host: "localhost" } });
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  const [body] = (await once(answer, "data")) as [Buffer];
  expect([answer.statusCode, body.toString()]).toEqual([200, "[]"]);
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(
    runKeyframe(["serve", "--socket", socketPath, "--port", "1"], { KEYFRAME_SANDBOX_HOME: home }).code,
  ).toBe(2);
});

test("a request for an image that cannot be built says so in its last line", async () => {
  const { line } = await serve(scratchFolder(), {}, "--port", "0", "--without-token");
  const build = (body: object) =>
    fetch(`${line}/v1/images`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  expect((await build({ name: "x", from: "/no/such/folder" })).status).toBe(404);
  expect((await build({ name: "x", from: "relative" })).status).toBe(400);
  const folder = scratchFolder();
  const answer = await build({ name: "x", from: folder, packages: ["git"] });
  const lines = (await answer.text()).trim().split("\n");
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ type: "error", error: { code: "usage" } });
});
