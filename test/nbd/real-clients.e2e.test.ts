import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { patternBytes } from "../support/memory-image.ts";
import { expectBytes } from "../support/open-test-cache.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startKeyframe } from "../support/served-image.ts";

const MiB = 1024 * 1024;
const limit = { timeout: 60_000, maxBuffer: 64 * MiB } as const;

function run(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { ...limit, encoding: "utf8" });
  if (result.status !== 0) {
    throw new Error(
      `${program} ${args.join(" ")}: ${result.status} ${result.stderr}${result.stdout}${result.error ?? ""}`,
    );
  }
  return result.stdout;
}

beforeAll(() => {
  execFileSync("scripts/install-debian-packages.sh", ["nbd"], { stdio: "ignore" });
});

function rawImage(folder: string, content: Buffer): string {
  const path = join(folder, "disk.raw");
  writeFileSync(path, content);
  return path;
}

async function serve(folder: string, image: string, ...flags: string[]) {
  const server = await startKeyframe(["image", "serve", image, "--socket", join(folder, "socket"), ...flags]);
  return { ...server, uri: server.firstLine };
}

test("nbdinfo sees a disk with all that is supported", async () => {
  const folder = scratchFolder();
  const { uri } = await serve(
    folder,
    rawImage(folder, patternBytes(8 * MiB)),
    "--overlay",
    join(folder, "work"),
  );
  const [info] = JSON.parse(run("nbdinfo", "--json", uri)).exports;
  expect(info).toMatchObject({
    "export-size": 8 * MiB,
    is_read_only: false,
    can_flush: true,
    can_fua: true,
    can_multi_conn: true,
    can_trim: true,
    can_zero: true,
    can_cache: true,
    can_df: true,
    block_size_preferred: 4096,
    contexts: ["base:allocation"],
  });
  expect(run("nbdinfo", "--list", uri)).toContain("export=");
});

test("nbdcopy and qemu-img copy a sparse image with its holes, over a socket and over TCP", async () => {
  const folder = scratchFolder();
  const content = patternBytes(24 * MiB);
  content.fill(0, 4 * MiB, 20 * MiB);
  const path = join(folder, "disk.raw");
  writeFileSync(path, content.subarray(0, 4 * MiB));
  run("truncate", "-s", String(20 * MiB), path);
  writeFileSync(path, content.subarray(20 * MiB), { flag: "a" });
  const local = await serve(folder, path);
  expect(run("nbdinfo", "--map", local.uri)).toMatch(/4194304\s+16777216\s+3/);
  const tcp = await startKeyframe(["image", "serve", path, "--port", "0"]);
  for (const [index, uri] of [local.uri, tcp.firstLine].entries()) {
    const copied = join(folder, `copied-${index}`);
    run("nbdcopy", "--connections=4", uri, copied);
    expectBytes(readFileSync(copied), content);
    expect(statSync(copied).blocks * 512).toBeLessThan(12 * MiB);
    const converted = join(folder, `converted-${index}`);
    run("qemu-img", "convert", "-f", "raw", "-O", "raw", uri, converted);
    expectBytes(readFileSync(converted), content);
  }
});

test("writes of nbdcopy and qemu-io reach the overlay, survive a restart and leave the image alone", async () => {
  const folder = scratchFolder();
  const base = patternBytes(16 * MiB, 2);
  const image = rawImage(folder, base);
  const written = patternBytes(16 * MiB, 9);
  const source = join(folder, "source");
  writeFileSync(source, written);
  const overlay = join(folder, "work");
  const first = await serve(folder, image, "--overlay", overlay);
  run("nbdcopy", "--flush", source, first.uri);
  const io = [
    "write -P 0x5a 1234 70000",
    "write -z 4M 1M",
    "discard 8M 1M",
    "read -P 0x5a 1234 70000",
    "read -P 0 4M 1M",
    "flush",
  ];
  run("qemu-io", "-f", "raw", ...io.flatMap((command) => ["-c", command]), first.uri);
  expect(await first.stop()).toBe(0);
  written
    .fill(0x5a, 1234, 71_234)
    .fill(0, 4 * MiB, 5 * MiB)
    .fill(0, 8 * MiB, 9 * MiB);
  const second = await serve(folder, image, "--overlay", overlay, "--read-only");
  const copied = join(folder, "copied");
  run("nbdcopy", second.uri, copied);
  expectBytes(readFileSync(copied), written);
  expect(spawnSync("qemu-io", ["-f", "raw", "-c", "write 0 4k", second.uri], limit).status).not.toBe(0);
  expectBytes(readFileSync(image), base);
});

test("what a client flushed survives kill -9 of the server", async () => {
  const folder = scratchFolder();
  const image = rawImage(folder, patternBytes(4 * MiB));
  const overlay = join(folder, "work");
  const first = await serve(folder, image, "--overlay", overlay);
  run(
    "qemu-io",
    "-f",
    "raw",
    "-t",
    "writeback",
    "-c",
    "write -P 7 100 9000",
    "-c",
    "write -f -P 8 1M 4k",
    "-c",
    "flush",
    first.uri,
  );
  first.child.kill("SIGKILL");
  const second = await serve(folder, image, "--overlay", overlay);
  run("qemu-io", "-f", "raw", "-c", "read -P 7 100 9000", "-c", "read -P 8 1M 4k", second.uri);
});

test("a second server is refused the overlay of the first, and the socket", async () => {
  const folder = scratchFolder();
  const image = rawImage(folder, patternBytes(MiB));
  await serve(folder, image, "--overlay", join(folder, "work"));
  const args = [
    "dist/keyframe.cjs",
    "image",
    "serve",
    image,
    "--overlay",
    join(folder, "work"),
    "--port",
    "0",
  ];
  const busy = spawnSync(process.execPath, args, { ...limit, encoding: "utf8" });
  expect(busy.stderr).toContain("lock-busy");
  const taken = spawnSync(
    process.execPath,
    ["dist/keyframe.cjs", "image", "serve", image, "--socket", join(folder, "socket")],
    {
      ...limit,
      encoding: "utf8",
    },
  );
  expect(taken.stderr).toContain("refused");
});

const ext4Files = {
  "a.txt": Buffer.from("hello\n"),
  "deep/b.bin": patternBytes(3 * MiB, 4),
  "deep/er/c.bin": patternBytes(70_001, 5),
};

/** A file system image with those files in it. */
function madeFileSystem(folder: string): string {
  const files = join(folder, "files");
  mkdirSync(join(files, "deep", "er"), { recursive: true });
  for (const [name, bytes] of Object.entries(ext4Files)) writeFileSync(join(files, name), bytes);
  const made = join(folder, "made.ext4");
  run("mke2fs", "-q", "-t", "ext4", "-d", files, made, "32M");
  return made;
}

/** Adds a file and removes one, and checks the file system before and after. */
function changeFileSystem(folder: string, disk: string): void {
  const added = join(folder, "added");
  writeFileSync(added, patternBytes(500_000, 6));
  run("e2fsck", "-f", "-n", disk);
  run("debugfs", "-w", "-R", `write ${added} added.bin`, disk);
  run("debugfs", "-w", "-R", "rm /a.txt", disk);
  run("e2fsck", "-f", "-n", disk);
}

function expectChangedFileSystem(folder: string, disk: string): void {
  run("e2fsck", "-f", "-n", disk);
  const { "a.txt": _, ...kept } = ext4Files;
  for (const [name, bytes] of Object.entries({ ...kept, "added.bin": patternBytes(500_000, 6) })) {
    const out = join(folder, "dumped");
    rmSync(out, { force: true });
    run("debugfs", "-R", `dump /${name} ${out}`, disk);
    expectBytes(readFileSync(out), bytes);
  }
  expect(run("debugfs", "-R", "ls -p /", disk)).not.toContain("a.txt");
}

test("an ext4 file system is written, checked, changed and read back through the server", async () => {
  const folder = scratchFolder();
  const image = rawImage(folder, Buffer.alloc(32 * MiB));
  const { uri } = await serve(folder, image, "--overlay", join(folder, "work"));
  run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", madeFileSystem(folder), uri);
  const copy = join(folder, "copy.ext4");
  run("nbdcopy", uri, copy);
  changeFileSystem(folder, copy);
  run("nbdcopy", copy, uri);
  const back = join(folder, "back.ext4");
  run("qemu-img", "convert", "-f", "raw", "-O", "raw", uri, back);
  expectChangedFileSystem(folder, back);
});

test.skipIf(!existsSync("/dev/fuse"))(
  "an ext4 file system on a mounted image is changed in place and found changed later",
  async () => {
    const folder = scratchFolder();
    const image = madeFileSystem(folder);
    const target = join(folder, "mount");
    mkdirSync(target);
    const mounted = await startKeyframe(["image", "mount", image, target, "--overlay", join(folder, "work")]);
    expect(mounted.firstLine).toBe(join(target, "nbd"));
    changeFileSystem(folder, mounted.firstLine);
    expect(await mounted.stop()).toBe(0);
    expect(existsSync(join(target, "nbd"))).toBe(false);
    const { uri } = await serve(folder, image, "--overlay", join(folder, "work"));
    const back = join(folder, "back.ext4");
    run("nbdcopy", uri, back);
    expectChangedFileSystem(folder, back);
  },
);

test("fio writes and verifies random blocks with sixteen requests in flight", async () => {
  const folder = scratchFolder();
  const image = rawImage(folder, patternBytes(16 * MiB));
  const { uri } = await serve(
    folder,
    image,
    "--overlay",
    join(folder, "work"),
    "--cache",
    join(folder, "cache"),
  );
  const output = run(
    "fio",
    "--name=verify",
    "--ioengine=nbd",
    `--uri=${uri}`,
    "--rw=randwrite",
    "--bsrange=512-64k",
    "--size=16M",
    "--iodepth=16",
    "--verify=crc32c",
    "--verify_state_save=0",
    "--do_verify=1",
    "--verify_fatal=1",
    "--output-format=terse",
    "--fsync=64",
  );
  expect(output).toContain("verify");
});

test("a cached image is read without its source after a restart", async () => {
  const folder = scratchFolder();
  const content = patternBytes(8 * MiB);
  const image = rawImage(folder, content);
  const cache = join(folder, "cache");
  const first = await serve(folder, image, "--cache", cache);
  run("nbdcopy", first.uri, join(folder, "one"));
  expect(await first.stop()).toBe(0);
  const stat = statSync(image);
  // same identity, other bytes: whoever asks the source would see it
  writeFileSync(image, Buffer.alloc(content.length, 1));
  run("touch", "-d", `@${(stat.mtimeMs / 1000).toFixed(9)}`, image);
  if (statSync(image).mtimeMs !== stat.mtimeMs) throw new Error("the time stamp could not be restored");
  const second = await serve(folder, image, "--cache", cache);
  run("nbdcopy", second.uri, join(folder, "two"));
  expectBytes(readFileSync(join(folder, "two")), content);
});

test("with a certificate clients must use TLS, and must show their own where an authority is named", async () => {
  const folder = scratchFolder();
  const image = rawImage(folder, patternBytes(2 * MiB));
  const pki = join(folder, "pki");
  mkdirSync(pki);
  makeCertificates(pki);
  const flags = ["--tls-cert", join(pki, "server-cert.pem"), "--tls-key", join(pki, "server-key.pem")];
  const open = await startKeyframe(["image", "serve", image, "--port", "0", ...flags]);
  const withTls = (uri: string, dir: string) =>
    `${uri.replace("127.0.0.1", "localhost")}?tls-certificates=${dir}`;
  run("nbdcopy", withTls(open.firstLine, pki), join(folder, "copied"));
  expectBytes(readFileSync(join(folder, "copied")), patternBytes(2 * MiB));
  expect(spawnSync("nbdinfo", [open.firstLine.replace("nbds:", "nbd:")], limit).status).not.toBe(0);
  const strict = await startKeyframe([
    "image",
    "serve",
    image,
    "--port",
    "0",
    ...flags,
    "--tls-client-ca",
    join(pki, "ca-cert.pem"),
  ]);
  const anonymous = join(folder, "anonymous");
  mkdirSync(anonymous);
  writeFileSync(join(anonymous, "ca-cert.pem"), readFileSync(join(pki, "ca-cert.pem")));
  expect(run("nbdinfo", "--size", withTls(strict.firstLine, pki)).trim()).toBe(String(2 * MiB));
  expect(spawnSync("nbdinfo", ["--size", withTls(strict.firstLine, anonymous)], limit).status).not.toBe(0);
});

function makeCertificates(folder: string): void {
  const at = (name: string) => join(folder, name);
  const key = (name: string) => ["-newkey", "rsa:2048", "-nodes", "-keyout", at(name)];
  run(
    "openssl",
    "req",
    "-x509",
    ...key("ca-key.pem"),
    "-out",
    at("ca-cert.pem"),
    "-subj",
    "/CN=test authority",
    "-days",
    "2",
  );
  for (const name of ["server", "client"]) {
    run("openssl", "req", ...key(`${name}-key.pem`), "-out", at(`${name}.csr`), "-subj", `/CN=${name}`);
    writeFileSync(at(`${name}.ext`), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    run(
      "openssl",
      "x509",
      "-req",
      "-in",
      at(`${name}.csr`),
      "-CA",
      at("ca-cert.pem"),
      "-CAkey",
      at("ca-key.pem"),
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      at(`${name}.ext`),
      "-out",
      at(`${name}-cert.pem`),
    );
  }
}

test.each([
  [["image", "serve", "nothing.raw", "--port", "0"], "not-found", 3],
  [["image", "serve", "package.json"], "usage", 2],
  [["image", "serve", "src", "--port", "0"], "not-found", 3],
  [["image", "mount", "package.json", "/dev/nbd999"], "modprobe nbd", 3],
  [["image", "mount", "package.json", "no-such-folder"], "mkdir", 3],
])("%j says what is wrong and what to do", (args, text, code) => {
  const result = spawnSync(process.execPath, ["dist/keyframe.cjs", ...args], { ...limit, encoding: "utf8" });
  expect(result.stderr).toContain(text);
  expect(result.status).toBe(code);
});

test("without nbdfuse a mount names the package to install", () => {
  const folder = scratchFolder();
  const args = ["dist/keyframe.cjs", "image", "mount", rawImage(folder, Buffer.alloc(4096)), folder];
  const result = spawnSync(process.execPath, args, {
    ...limit,
    encoding: "utf8",
    env: { ...process.env, PATH: folder },
  });
  expect(result.stderr).toContain("install nbdfuse");
  expect(result.status).toBe(1);
});
