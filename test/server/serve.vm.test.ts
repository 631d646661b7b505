import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { request as requestHttp } from "node:http";
import { connect } from "node:net";
import { CommandExitError, FileNotFoundError, Sandbox } from "e2b";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findSandbox } from "../../src/sandbox/store/sandbox-store.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

interface Served {
  readonly process: ChildProcess;
  readonly url: string;
  readonly notes: () => string;
}

let lab: SandboxLab;
let served: Served;
let sandbox: Sandbox;
const processes: ChildProcess[] = [];

/** The program as users run it, on a free port. */
async function serve(env: Readonly<Record<string, string>> = {}, ...args: string[]): Promise<Served> {
  const open = args.includes("--require-token") ? [] : ["--without-token"];
  const child = spawn(process.execPath, ["dist/keyframe.cjs", "serve", "--port", "0", ...open, ...args], {
    env: {
      ...process.env,
      KEYFRAME_SANDBOX_HOME: lab.context.home.root,
      KEYFRAME_ACCELERATOR: "tcg",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  processes.push(child);
  let notes = "";
  child.stderr.on("data", (piece: Buffer) => {
    notes += piece.toString();
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { process: child, url: line.toString().trim(), notes: () => notes };
}

/** The options of the package, as its documentation has them. */
const place = (url = served.url, apiKey = "any") => ({ apiUrl: url, sandboxUrl: url, apiKey });

const rest = (method: string, path: string, body?: unknown) =>
  fetch(`${served.url}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
const ownId = () => sandbox.sandboxId.replace("sb", "sb-");
/** For what happens soon, in a guest that shares two emulated processors with other tests. */
const soon = { timeout: 60_000 };
/** How many processes of the guest have the number as an argument. */
const sleepers = async (seconds: number) => {
  const [last] = String(seconds).slice(-1);
  // a pattern that is not its own text
  const pattern = `${String(seconds).slice(0, -1)}[${last}]`;
  return Number(await inGuest(`grep -saxzl '${pattern}' /proc/[0-9]*/cmdline | wc -l`));
};
const inGuest = async (script: string) => (await sandbox.commands.run(script)).stdout.trim();

beforeAll(async () => {
  lab = openSandboxLab();
  served = await serve({}, "--store", `shelf=${lab.context.home.root}/shelf`);
  sandbox = await Sandbox.create("debian", {
    ...place(),
    timeoutMs: 3_600_000,
    metadata: { purpose: "test & more" },
    envs: { GREETING: "hello" },
  });
});
afterAll(async () => {
  for (const child of processes) child.kill("SIGKILL");
  await lab?.close();
});

test("the e2b package runs commands: output, exit code, environment, folder, user", async () => {
  const result = await sandbox.commands.run('echo "$GREETING $X $PWD $(id -un)"; echo err >&2', {
    envs: { X: "1" },
    cwd: "/usr",
    user: "nobody",
  });
  expect(result).toMatchObject({ exitCode: 0, stdout: "hello 1 /usr nobody\n", stderr: "err\n" });
  const failure = await sandbox.commands.run("echo partial; exit 3").catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CommandExitError);
  expect(failure).toMatchObject({ exitCode: 3, stdout: "partial\n" });
  await expect(sandbox.commands.run("true", { cwd: "/no-folder" })).rejects.toThrow(/no-folder/);
});

test("the e2b package streams a background command, types into it, finds it again by its id and kills one", async () => {
  const pieces: string[] = [];
  const handle = await sandbox.commands.run(
    "echo one; read line; echo got $line; read line; echo then $line",
    {
      background: true,
      stdin: true,
      onStdout: (text) => void pieces.push(text),
    },
  );
  expect((await sandbox.commands.list()).map((each) => each.pid)).toEqual([handle.pid]);
  await expect.poll(() => pieces.join(""), soon).toBe("one\n");
  await sandbox.commands.sendStdin(handle.pid, "two\n");
  await expect.poll(() => pieces.join(""), soon).toBe("one\ngot two\n");
  // the client lets go, the command goes on
  await handle.disconnect();
  const again = await sandbox.commands.connect(handle.pid);
  await sandbox.commands.sendStdin(handle.pid, "three\n");
  expect(await again.wait()).toMatchObject({ exitCode: 0, stdout: "then three\n" });
  const counter = await sandbox.commands.run("wc -c", { background: true, stdin: true });
  await sandbox.commands.sendStdin(counter.pid, "x".repeat(400_000));
  await sandbox.commands.closeStdin(counter.pid);
  expect(await counter.wait()).toMatchObject({ stdout: "400000\n" });
  const sleeper = await sandbox.commands.run("setsid sleep 7123 & sleep 7123", { background: true });
  expect(await sleeper.kill()).toBe(true);
  await expect(sleeper.wait()).rejects.toThrow(CommandExitError);
  expect(await sandbox.commands.kill(sleeper.pid)).toBe(false);
  expect(await sleepers(7123)).toBe(0);
});

test("a command that runs for longer than the e2b package allows is ended with all that it started", async () => {
  const late = await sandbox.commands
    .run("sleep 7234", { timeoutMs: 1_000 })
    .catch((error: unknown) => error);
  expect(late).toMatchObject({ name: "TimeoutError" });
  await expect.poll(() => sleepers(7234), soon).toBe(0);
});

test("the e2b package has a terminal of the size it asks for, and resizes it", async () => {
  let text = "";
  const terminal = await sandbox.pty.create({
    cols: 91,
    rows: 17,
    onData: (piece) => {
      text += Buffer.from(piece).toString();
    },
  });
  const type = (line: string) => sandbox.pty.sendInput(terminal.pid, Buffer.from(line));
  await type("stty size\n");
  await expect.poll(() => text, soon).toContain("17 91");
  await sandbox.pty.resize(terminal.pid, { cols: 100, rows: 30 });
  await type("stty size; exit\n");
  await terminal.wait();
  expect(text).toContain("30 100");
});

test("the e2b package writes, reads, lists, renames and removes files", async () => {
  const { files } = sandbox;
  const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31) & 255);
  expect(await files.write("/root/x/ä b.txt", "content")).toMatchObject({
    name: "ä b.txt",
    path: "/root/x/ä b.txt",
  });
  await files.write([
    { path: "relative.txt", data: "at home" },
    { path: "/tmp/bytes.bin", data: new Blob([bytes]) },
    { path: "/tmp/streamed.bin", data: new Blob([bytes]).stream() },
    { path: "/tmp/empty", data: "" },
  ]);
  await files.write("/tmp/packed.bin", new Blob([bytes]), { gzip: true });
  expect(await files.read("/root/x/ä b.txt")).toBe("content");
  expect(await files.read("/root/relative.txt")).toBe("at home");
  expect(await files.read("/tmp/empty")).toBe("");
  for (const path of ["/tmp/bytes.bin", "/tmp/streamed.bin", "/tmp/packed.bin"]) {
    expect(Buffer.from(await files.read(path, { format: "bytes" })).equals(Buffer.from(bytes)), path).toBe(
      true,
    );
  }
  await inGuest(
    "ln -s /root/relative.txt /root/x/link; chmod 640 '/root/x/ä b.txt'; chown nobody '/root/x/ä b.txt'",
  );
  expect(await files.list("/root/x")).toMatchObject([
    { name: "link", type: "symlink", symlinkTarget: "/root/relative.txt" },
    { name: "ä b.txt", type: "file", size: 7, owner: "nobody", group: "root", permissions: "-rw-r-----" },
  ]);
  expect((await files.list("/root", { depth: 2 })).map((each) => each.path)).toContain("/root/x/link");
  expect([await files.exists("/root/x"), await files.exists("/root/none")]).toEqual([true, false]);
  expect([await files.makeDir("/root/a/b"), await files.makeDir("/root/a/b")]).toEqual([true, false]);
  expect(await files.rename("/root/x/ä b.txt", "/root/a/b/c")).toMatchObject({
    path: "/root/a/b/c",
    type: "file",
  });
  expect(await files.read("/root/a/b/c")).toBe("content");
  await files.remove("/root/a");
  expect(await files.exists("/root/a")).toBe(false);
  await expect(files.read("/root/a/b/c")).rejects.toThrow(FileNotFoundError);
  await expect(files.remove("/")).rejects.toThrow();
  await expect(files.write("/root/denied", "x", { user: "nobody" })).rejects.toThrow(/denied/);
});

test("addresses that the e2b package signs work without it, for their file only", async () => {
  const url = await sandbox.downloadUrl("/root/relative.txt");
  expect(await (await fetch(url)).text()).toBe("at home");
  expect((await fetch(url.replace("relative.txt", "other.txt"))).ok).toBe(false);
});

test("the e2b package sees what a sandbox is and uses, and finds it by its metadata", async () => {
  expect(await sandbox.getInfo()).toMatchObject({
    sandboxId: sandbox.sandboxId,
    templateId: "debian",
    metadata: { purpose: "test & more" },
    state: "running",
    cpuCount: 1,
  });
  const find = (metadata: Record<string, string>) =>
    Sandbox.list({ ...place(), query: { metadata, state: ["running"] } }).nextItems();
  expect((await find({ purpose: "test & more" })).map((each) => each.sandboxId)).toEqual([sandbox.sandboxId]);
  expect(await find({ purpose: "another" })).toEqual([]);
  const [usage] = await sandbox.getMetrics();
  expect(usage?.memTotal).toBeGreaterThan(400 * 1024 * 1024);
  expect(usage?.memUsed).toBeGreaterThan(0);
  expect(usage?.diskUsed).toBeGreaterThan(0);
  const before = (await sandbox.getInfo()).endAt.getTime();
  await sandbox.setTimeout(7_200_000);
  expect((await sandbox.getInfo()).endAt.getTime()).toBeGreaterThan(before + 3_000_000);
});

test("the e2b package pauses a sandbox with its memory and connects to it again", async () => {
  await inGuest("echo kept > /dev/shm/in-memory");
  expect([await sandbox.pause(), await sandbox.pause()]).toEqual([true, false]);
  expect(await sandbox.isRunning()).toBe(false);
  await expect(sandbox.commands.run("true")).rejects.toThrow();
  const paused = await Sandbox.list({ ...place(), query: { state: ["paused"] } }).nextItems();
  expect(paused.map((each) => each.sandboxId)).toEqual([sandbox.sandboxId]);
  const again = await Sandbox.connect(sandbox.sandboxId, { ...place(), timeoutMs: 3_600_000 });
  expect((await again.commands.run("cat /dev/shm/in-memory")).stdout).toBe("kept\n");
  expect(await sandbox.isRunning()).toBe(true);
});

test("the e2b package forks a running sandbox; a child whose time is over is removed", async () => {
  const [child] = await sandbox.fork({ count: 1, timeoutMs: 3_600_000 });
  if (!(child instanceof Sandbox)) throw child;
  expect((await child.commands.run("cat /dev/shm/in-memory")).stdout).toBe("kept\n");
  await child.files.write("/root/only-here", "child");
  expect(await sandbox.files.exists("/root/only-here")).toBe(false);
  await child.setTimeout(0);
  await expect.poll(() => child.isRunning(), soon).toBe(false);
  await expect
    .poll(async () => (await rest("GET", `/v1/sandboxes/${child.sandboxId.replace("sb", "sb-")}`)).status, {
      timeout: 30_000,
    })
    .toBe(404);
});

test("a client of the REST interface that goes away in the middle ends its command in the guest", async () => {
  const going = requestHttp(`${served.url}/v1/sandboxes/${ownId()}/exec`, {
    method: "POST",
    headers: { "content-type": "application/json" },
  });
  going.end(JSON.stringify({ argv: ["sh", "-c", "setsid sleep 7345 & echo begun; sleep 7345"] }));
  const [answer] = (await once(going, "response")) as [import("node:http").IncomingMessage];
  await once(answer, "data");
  expect(await sleepers(7345)).not.toBe(0);
  going.on("error", () => undefined);
  going.destroy();
  await expect.poll(() => sleepers(7345), soon).toBe(0);
});

test("8 MiB of output pass whole through a reader that stops for a while, and the server stays small", async () => {
  const rss = async () =>
    Number(
      /VmRSS:\s+(\d+)/.exec(
        await (await import("node:fs/promises")).readFile(`/proc/${served.process.pid}/status`, "utf8"),
      )?.[1],
    ) * 1024;
  const before = await rss();
  const answer = await rest("POST", `/v1/sandboxes/${ownId()}/exec`, {
    argv: ["sh", "-c", "head -c 8388608 /dev/zero | tr '\\0' x"],
  });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  const first = await reader?.read();
  // other requests go on while this one is not read, and nothing piles up
  for (let round = 0; round < 5; round += 1) expect(await inGuest("echo on")).toBe("on");
  expect((await rss()) - before).toBeLessThan(64 * 1024 * 1024);
  let text = first?.value ?? "";
  let total = 0;
  let last = "";
  for (;;) {
    const at = text.lastIndexOf("\n");
    for (const line of text.slice(0, at + 1).split("\n")) {
      if (line === "") continue;
      const event = JSON.parse(line) as { type: string; data?: string };
      last = event.type;
      if (event.type === "stdout") total += Buffer.from(event.data ?? "", "base64").length;
    }
    text = text.slice(at + 1);
    const next = await reader?.read();
    if (next === undefined || next.done) break;
    text += next.value;
  }
  expect([total, last]).toEqual([8388608, "exit"]);
});

test("files and folders go up and down through the REST interface, whole or not at all", async () => {
  const content = Buffer.alloc(5_000_000, "0123456789");
  const base = `${served.url}/v1/sandboxes/${ownId()}`;
  const put = await fetch(`${base}/files?path=/srv/deep/up.bin&mode=600`, { method: "PUT", body: content });
  expect(put.status).toBe(204);
  const down = Buffer.from(await (await fetch(`${base}/files?path=/srv/deep/up.bin`)).arrayBuffer());
  expect(createHash("sha256").update(down).digest("hex")).toBe(
    createHash("sha256").update(content).digest("hex"),
  );
  const broken = new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.alloc(100_000)),
    pull: (controller) => controller.error(new Error("the client breaks off")),
  });
  await expect(
    fetch(`${base}/files?path=/srv/deep/up.bin`, {
      method: "PUT",
      body: broken,
      duplex: "half",
    } as RequestInit),
  ).rejects.toThrow();
  await expect
    .poll(() => inGuest("ls /srv/deep; stat -c '%s %a' /srv/deep/up.bin"))
    .toBe("up.bin\n5000000 600");
  expect(served.notes()).toBe("");
  expect((await fetch(`${base}/files?path=/none`)).status).toBe(404);
  expect((await fetch(`${base}/files?path=/srv`)).status).toBe(400);
  const listed = (await (await fetch(`${base}/folders?path=/srv&depth=2`)).json()) as { path: string }[];
  expect(listed.map((each) => each.path)).toEqual(["/srv/deep", "/srv/deep/up.bin"]);
});

test("a branch answers with the snapshot and each child, and its pause is in the metrics", async () => {
  const answer = await rest("POST", `/v1/sandboxes/${ownId()}/branch`, {
    count: 2,
    snapshotName: "api-base",
  });
  expect(answer.status).toBe(201);
  const { snapshot, children } = (await answer.json()) as {
    snapshot: { name: string; state: string };
    children: { ok: boolean; id: string; state: string }[];
  };
  expect(snapshot).toMatchObject({ name: "api-base", state: "ready" });
  expect(children).toMatchObject([
    { ok: true, state: "running" },
    { ok: true, state: "running" },
  ]);
  const source = findSandbox(lab.context, ownId());
  expect(source.env).toMatchObject({ GREETING: "hello" });
  for (const { id } of children) {
    const { env, network, idleMs } = findSandbox(lab.context, id);
    expect({ env, network, idleMs }).toEqual({
      env: source.env,
      network: source.network,
      idleMs: source.idleMs,
    });
  }
  expect(await (await rest("POST", "/v1/snapshots/api-base/verify")).json()).toEqual({
    ok: true,
    problems: [],
  });
  expect((await rest("DELETE", "/v1/snapshots/api-base")).status).toBe(409);
  for (const child of children) expect((await rest("DELETE", `/v1/sandboxes/${child.id}`)).status).toBe(204);
  expect((await rest("DELETE", "/v1/snapshots/api-base")).status).toBe(200);
  const metrics = await (await rest("GET", "/metrics")).text();
  expect(Number(/^keyframe_branch_pause_seconds_count (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
  expect(metrics).toContain('keyframe_sandboxes{state="running"} 1');
});

test("a port of the server's machine leads into the guest, is listed and ends", async () => {
  const guestServer = await sandbox.commands.run(
    `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8099", Listen => 5, ReuseAddr => 1) or die; print "up\\n"; $| = 1; while (my $c = $s->accept) { my $line = <$c>; print $c "echo $line"; close $c }'`,
    { background: true },
  );
  const ports = `/v1/sandboxes/${ownId()}/ports`;
  const opened = (await (await rest("POST", ports, { guestPort: 8099 })).json()) as { hostPort: number };
  expect(await (await rest("GET", ports)).json()).toEqual([{ hostPort: opened.hostPort, guestPort: 8099 }]);
  const say = async (text: string) => {
    const connection = connect(opened.hostPort, "127.0.0.1");
    connection.write(`${text}\n`);
    let answer = "";
    for await (const piece of connection) answer += String(piece);
    return answer;
  };
  await expect.poll(() => say("hello").catch(() => ""), soon).toBe("echo hello\n");
  expect((await rest("DELETE", `${ports}/8099`)).status).toBe(200);
  expect(await (await rest("GET", ports)).json()).toEqual([]);
  expect((await rest("DELETE", `${ports}/8099`)).status).toBe(404);
  await expect(say("anyone")).rejects.toThrow(/ECONNREFUSED/);
  expect((await rest("POST", ports, { guestPort: 70_000 })).status).toBe(400);
  await guestServer.kill();
});

test("a snapshot goes to a store of the server's by its name, comes back, and machines are kept ready for it", async () => {
  const saved = (await (
    await rest("POST", `/v1/sandboxes/${ownId()}/snapshots`, { name: "shelved" })
  ).json()) as {
    id: string;
  };
  expect(await (await rest("GET", "/v1/stores")).json()).toEqual(["shelf"]);
  const refused = await rest("POST", `/v1/snapshots/${saved.id}/push`, { store: "/tmp" });
  expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
    404,
    "not-found",
  ]);
  const pushed = (await (
    await rest("POST", `/v1/snapshots/${saved.id}/push`, { store: "shelf" })
  ).json()) as {
    sent: string[];
  };
  expect(pushed.sent).toContain(saved.id);

  const pool = `/v1/snapshots/${saved.id}/pool`;
  const ready = (await (await rest("PUT", pool, { size: 1 })).json()) as { id: string; state: string }[];
  expect(ready.map(({ state }) => state)).toEqual(["pooled"]);
  const taken = (await (await rest("POST", "/v1/sandboxes", { from: saved.id })).json()) as { id: string }[];
  expect(taken.map(({ id }) => id)).toEqual(ready.map(({ id }) => id));
  expect((await rest("DELETE", `/v1/sandboxes/${taken[0]?.id}`)).status).toBe(204);
  expect(await (await rest("PUT", pool, { size: 0 })).json()).toEqual([]);

  expect((await rest("DELETE", `/v1/snapshots/${saved.id}`)).status).toBe(200);
  const back = await rest("POST", "/v1/snapshots/pull", { store: "shelf", snapshot: "shelved", lazy: true });
  expect([back.status, ((await back.json()) as { id: string; store: string }).id]).toEqual([201, saved.id]);
});

test("a second server with a token works on the same home, and lets in only who has it", async () => {
  const token = "0123456789abcdef-of-the-test";
  const guarded = await serve({ KEYFRAME_TOKEN: token });
  const other = await Sandbox.connect(sandbox.sandboxId, place(guarded.url, token));
  expect((await other.commands.run("echo through")).stdout).toBe("through\n");
  expect(await (await fetch(await other.downloadUrl("/root/relative.txt"))).text()).toBe("at home");
  const stranger = await Sandbox.connect(sandbox.sandboxId, place(guarded.url, "wrong")).catch(
    (error: unknown) => error,
  );
  expect(stranger).toMatchObject({ name: "AuthenticationError" });
  const log = lab.context.files.read(`${lab.context.home.root}/audit.log`).toString();
  expect(log).not.toContain(token);
  expect(log).not.toContain("signature=");
  guarded.process.kill("SIGTERM");
  expect(await once(guarded.process, "exit")).toEqual([0, null]);
});

test("a server that is killed loses nothing: the next one finds the sandbox, its metadata and its end", async () => {
  const before = await sandbox.getInfo();
  served.process.kill("SIGKILL");
  await once(served.process, "exit");
  expect(findSandbox(lab.context, ownId()).status).toBe("running");
  served = await serve();
  const again = await Sandbox.connect(sandbox.sandboxId, { ...place(), timeoutMs: 1_000 });
  expect(await again.getInfo()).toEqual(before);
  expect((await again.commands.run("cat /dev/shm/in-memory")).stdout).toBe("kept\n");
  sandbox = again;
});

test("a server that is told to stop ends its streams and its commands, and leaves the sandboxes alone", async () => {
  const answer = await rest("POST", `/v1/sandboxes/${ownId()}/exec`, { argv: ["sleep", "7456"] });
  served.process.kill("SIGTERM");
  const events = (await answer.text()).trim().split("\n");
  expect(JSON.parse(events.at(-1) ?? "")).toMatchObject({ type: "exit", signal: 9 });
  expect(await once(served.process, "exit")).toEqual([0, null]);
  expect(served.notes()).toBe("");
  served = await serve();
  sandbox = await Sandbox.connect(sandbox.sandboxId, place());
  expect(await sleepers(7456)).toBe(0);
});

test("the e2b package kills a sandbox, once", async () => {
  expect([await sandbox.kill(), await sandbox.kill()]).toEqual([true, false]);
  expect(await Sandbox.list(place()).nextItems()).toEqual([]);
  expect(await (await rest("GET", "/v1/sandboxes")).json()).toEqual([]);
});
