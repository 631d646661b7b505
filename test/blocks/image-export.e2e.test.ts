// Covers src/cli/image/**.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const program = resolve("dist/keyframe.cjs");
let folder: string;
const servers: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kf-export-"));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map(stop));
  rmSync(folder, { recursive: true, force: true });
});

const env = () => ({ ...process.env, KEYFRAME_HOME: join(folder, "home") });
const keyframe = (...args: string[]) => {
  const text = execFileSync(process.execPath, [program, "image", ...args, "--json"], {
    cwd: folder,
    env: env(),
    encoding: "utf8",
  });
  return JSON.parse(text);
};

/** Starts a server and returns its address once it listens. */
async function serve(...args: string[]): Promise<{ uri: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [program, "image", "serve", ...args, "--json"], {
    cwd: folder,
    env: env(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  servers.push(child);
  let text = "";
  for await (const piece of child.stdout ?? []) {
    text += String(piece);
    try {
      return { uri: (JSON.parse(text) as { uri: string }).uri, child };
    } catch {
      // the rest of the document is on its way
    }
  }
  throw new Error("the server ended before it listened");
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  await ended;
}

const qemuIo = (uri: string, ...commands: string[]) =>
  execFileSync("qemu-io", ["-f", "raw", ...commands.flatMap((command) => ["-c", command]), uri], {
    encoding: "utf8",
  });

test("a stored image is served, written through an overlay, exported as an image on it, and read back whole", async () => {
  const base = Buffer.alloc(8 * 1024 * 1024);
  for (let offset = 0; offset < base.length / 2; offset += 4096) base.writeUInt32LE(offset, offset);
  writeFileSync(join(folder, "disk.raw"), base);
  const created = keyframe("create", "disk.raw", "--name", "base");

  const first = await serve("base", "--overlay", "work", "--socket", join(folder, "a.sock"));
  qemuIo(first.uri, "write -P 0xab 1M 64k", "write -z 2M 64k", "write -P 0xcd 7M 4k", "flush");
  await stop(first.child);
  const exported = keyframe("export", "base", "--overlay", "work", "--name", "changed");
  expect(exported.parent).toBe(created.id);
  expect(exported.writtenBytes).toBe(64 * 1024 + 4096);
  expect(keyframe("verify", "changed")).toBeTruthy();

  const second = await serve("changed", "--socket", join(folder, "b.sock"));
  execFileSync("nbdcopy", [second.uri, join(folder, "copy.raw")]);
  base.fill(0xab, 1024 * 1024, 1024 * 1024 + 64 * 1024);
  base.fill(0, 2 * 1024 * 1024, 2 * 1024 * 1024 + 64 * 1024);
  base.fill(0xcd, 7 * 1024 * 1024, 7 * 1024 * 1024 + 4096);
  expect(readFileSync(join(folder, "copy.raw")).equals(base)).toBe(true);
});

test("what was read first of a stored image is fetched ahead by the next server, also into another cache", async () => {
  const content = Buffer.alloc(8 * 1024 * 1024, 5);
  writeFileSync(join(folder, "disk.raw"), content);
  const { id } = keyframe("create", "disk.raw", "--name", "base");
  const first = await serve("base", "--cache", "one", "--socket", join(folder, "a.sock"));
  execFileSync("qemu-io", ["-r", "-f", "raw", "-c", "read -P 5 6M 4k", first.uri]);
  await stop(first.child);
  expect(existsSync(join(folder, "home", "images", "touches", id))).toBe(true);

  const sizes = ["--chunk", "2M", "--tracking", "256K"];
  const second = await serve("base", "--cache", "two", ...sizes, "--socket", join(folder, "b.sock"));
  const presence = join(folder, "two", id, "presence");
  const header = 84;
  // written some time after the bytes arrived; nobody reads from this server
  await vi.waitFor(() => expect(readFileSync(presence).readUInt32LE(header)).toBe(1 << 24), {
    timeout: 30_000,
    interval: 50,
  });
  await stop(second.child);
});

test("sizes of chunks and tracking that do not fit are refused", () => {
  writeFileSync(join(folder, "one.raw"), Buffer.alloc(65536, 1));
  keyframe("create", "one.raw", "--name", "one");
  for (const flags of [
    ["--tracking", "5000"],
    ["--chunk", "2M", "--tracking", "4M"],
  ]) {
    const args = [program, "image", "serve", "one", "--socket", join(folder, "s"), ...flags];
    const { status, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      env: env(),
      encoding: "utf8",
      timeout: 30_000,
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain("is not a multiple of");
  }
});

test("an overlay of one image is refused over another", () => {
  writeFileSync(join(folder, "one.raw"), Buffer.alloc(65536, 1));
  writeFileSync(join(folder, "two.raw"), Buffer.alloc(65536, 2));
  keyframe("create", "one.raw", "--name", "one");
  keyframe("create", "two.raw", "--name", "two");
  keyframe("export", "one", "--overlay", "work", "--name", "same");
  expect(() => keyframe("export", "two", "--overlay", "work", "--name", "wrong")).toThrow();
});
