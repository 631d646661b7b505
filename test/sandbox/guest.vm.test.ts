// Covers src/sandbox/guest/**, src/sandbox/qemu/**.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GuestChannel } from "../../src/sandbox/guest/channel.ts";
import { copyIn, copyOut, writeGuestFile } from "../../src/sandbox/guest/copy-files.ts";
import { encodeGuestFrame, guestFrameTypes } from "../../src/sandbox/guest/frame.ts";
import { collectCommand, openGuestSession, withGuest } from "../../src/sandbox/guest/session.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { connectUnixSocket } from "../../src/system/net/unix-socket.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

let lab: SandboxLab;
let sandbox: SandboxRecord;
const folder = mkdtempSync(join(tmpdir(), "sbx-files-"));

beforeAll(async () => {
  lab = openSandboxLab();
  const started = await lab.boot("guest-under-test");
  expect(started.problems).toEqual([]);
  sandbox = started.record;
});
afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

const inGuest = <T>(work: (guest: GuestChannel) => Promise<T>) => withGuest(lab.context, sandbox, work);
const run = (script: string, stdin?: Uint8Array) =>
  inGuest((guest) =>
    collectCommand(guest, { argv: ["sh", "-c", script] }, stdin === undefined ? {} : { stdin }),
  );

test("exit code, standard output and standard error arrive apart and exact", async () => {
  const { exit, stdout, stderr } = await run("printf out; printf err >&2; exit 7");
  expect(exit).toEqual({ kind: "code", code: 7, timedOut: false });
  expect([stdout.toString(), stderr.toString()]).toEqual(["out", "err"]);
});

test("a command that is killed reports the signal", async () => {
  expect((await run("kill -9 $$")).exit).toEqual({ kind: "signal", signal: 9, timedOut: false });
});

test("invalid UTF-8 and NUL pass unharmed in both directions", async () => {
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) & 0xff));
  expect((await run("cat", bytes)).stdout.equals(bytes)).toBe(true);
});

test("50 MiB of output arrive whole while the reader is slow, and are not held in memory", async () => {
  await inGuest(async (guest) => {
    const command = guest.run({ argv: ["sh", "-c", "head -c 52428800 /dev/zero | tr '\\0' x"] });
    command.stdin.end();
    command.stderr.resume();
    let total = 0;
    let held = 0;
    for await (const piece of command.stdout as AsyncIterable<Buffer>) {
      expect(piece.every((byte) => byte === 0x78)).toBe(true);
      total += piece.length;
      held = Math.max(held, command.stdout.readableLength);
    }
    expect(total).toBe(52428800);
    expect(held).toBeLessThanOrEqual(256 * 1024);
    expect(await command.exited).toMatchObject({ code: 0 });
  });
});

test("input beyond the window waits for the command to read it, and other commands go on", async () => {
  await inGuest(async (guest) => {
    const slow = guest.run({ argv: ["sh", "-c", "read line; cat | wc -c"] });
    const big = Buffer.alloc(3 * 1024 * 1024, 0x61);
    slow.stdin.write("go\n");
    slow.stdin.end(big);
    const quick = await collectCommand(guest, { argv: ["echo", "meanwhile"] });
    expect(quick.stdout.toString()).toBe("meanwhile\n");
    let out = "";
    slow.stdout.on("data", (piece) => {
      out += piece;
    });
    slow.stderr.resume();
    await slow.exited;
    expect(out.trim()).toBe(String(big.length));
  });
});

test("environment, working directory and user are the request's", async () => {
  const { stdout } = await inGuest((guest) =>
    collectCommand(guest, {
      argv: ["sh", "-c", 'echo "$A|$PWD|$(id -un)|$HOME"'],
      env: { A: "a=b c" },
      cwd: "/usr/lib",
      user: "nobody",
    }),
  );
  expect(stdout.toString()).toBe("a=b c|/usr/lib|nobody|/nonexistent\n");
});

test("a program, a folder or a user that is not there is named in the error", async () => {
  await inGuest(async (guest) => {
    await expect(collectCommand(guest, { argv: ["no-such-program"] })).rejects.toThrow(
      /no-such-program: No such file/,
    );
    await expect(collectCommand(guest, { argv: ["true"], cwd: "/no-folder" })).rejects.toThrow(/no-folder/);
    await expect(collectCommand(guest, { argv: ["true"], user: "no-user" })).rejects.toThrow(/no-user/);
  });
});

test("a timeout kills the whole tree, descendants with a session of their own included, and keeps the output", async () => {
  const { exit, stdout } = await inGuest((guest) =>
    collectCommand(guest, {
      argv: ["sh", "-c", "trap '' TERM; setsid sleep 7777 & echo partial; sleep 7777"],
      timeoutMs: 1_000,
    }),
  );
  expect(exit).toMatchObject({ kind: "signal", signal: 9, timedOut: true });
  expect(stdout.toString()).toBe("partial\n");
  expect(await countProcesses("7777")).toBe(0);
});

/** How many processes have this argument; the pattern is not its own match. */
async function countProcesses(argument: string): Promise<number> {
  const pattern = `${argument.slice(0, -1)}[${argument.slice(-1)}]`;
  return Number((await run(`grep -lszx '${pattern}' /proc/[0-9]*/cmdline | wc -l`)).stdout.toString());
}

test("a command cannot become more processes than it may, and the guest goes on", async () => {
  const { exit, stderr } = await inGuest((guest) =>
    collectCommand(guest, {
      argv: ["sh", "-c", "for i in $(seq 40); do sleep 6666 & done; echo never"],
      maxProcesses: 20,
      timeoutMs: 60_000,
    }),
  );
  expect(exit).toMatchObject({ kind: "code", code: 2 });
  expect(stderr.toString()).toMatch(/fork/i);
  expect(await countProcesses("6666")).toBeLessThan(20);
  await run("for p in /proc/[0-9]*; do grep -qsz '^6666$' $p/cmdline && kill $(basename $p); done; true");
  expect((await run("cat /proc/self/cgroup")).stdout.toString()).toMatch(/^0::\/keyframe-\d+\n$/);
});

test("QEMU has no privileges, a system call filter, and bounds on its memory and its files", () => {
  const pid = sandbox.machine?.process.pid;
  const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, "utf8");
  expect(read("status")).toMatch(/^CapPrm:\s+0+$/m);
  expect(read("status")).toMatch(/^CapEff:\s+0+$/m);
  expect(read("status")).toMatch(/^NoNewPrivs:\s+1$/m);
  expect(read("status")).toMatch(/^Seccomp:\s+2$/m);
  const limit = (name: string) => Number(new RegExp(`^${name}\\s+(\\d+)`, "m").exec(read("limits"))?.[1]);
  expect(limit("Max core file size")).toBe(0);
  expect(limit("Max address space")).toBe(2 * 160 * 1024 ** 2 + 8 * 1024 ** 3);
  expect(limit("Max file size")).toBeLessThan(1.5 * 1024 ** 3);
  expect(read("cmdline").split("\0")[0]).toMatch(/^qemu-system-x86_64$/);
});

test("a descendant that holds the output does not keep a finished command", async () => {
  const { exit, stdout } = await run("sleep 8888 & echo done");
  expect(exit).toMatchObject({ code: 0 });
  expect(stdout.toString()).toBe("done\n");
  expect(await countProcesses("8888")).toBe(1);
  await run("kill $(pidof sleep) 2>/dev/null; true");
});

test("20 commands at once on one port each get their own output", async () => {
  await inGuest(async (guest) => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        collectCommand(
          guest,
          { argv: ["sh", "-c", `echo ${index}; cat`] },
          { stdin: Buffer.from(`in${index}`) },
        ),
      ),
    );
    expect(all.map(({ stdout }) => stdout.toString())).toEqual(all.map((_, index) => `${index}\nin${index}`));
  });
});

test("a terminal has the asked size, follows a resize and gives the keys a meaning", async () => {
  await inGuest(async (guest) => {
    const command = guest.run({
      argv: ["sh", "-c", "stty size; trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"],
      terminal: { rows: 33, columns: 101 },
    });
    let shown = "";
    command.stderr.resume();
    command.stdout.on("data", (piece) => {
      shown += piece;
    });
    while (!shown.includes("ready")) await once(command.stdout, "data");
    expect(shown).toContain("33 101");
    command.resize({ rows: 40, columns: 90 });
    while (!shown.includes("40 90")) await once(command.stdout, "data");
    command.stdin.write("\x03");
    expect(await command.exited).toMatchObject({ kind: "signal", signal: 2 });
  });
});

test("a command ends with the host that started it, unless it was started to stay", async () => {
  const session = await openGuestSession(lab.context, sandbox);
  for (const [keep, seconds] of [
    [false, "5551"],
    [true, "5552"],
  ] as const) {
    const command = session.guest.run({ argv: ["sleep", seconds], keep });
    command.stdout.resume();
    command.stderr.resume();
  }
  await session.guest.ping();
  await session.close();
  // the guest gives a vanished host ten seconds: it may have been a restore
  const giveUpAt = Date.now() + 60_000;
  while ((await countProcesses("5551")) > 0 && Date.now() < giveUpAt) await run("sleep 0.5");
  expect(await countProcesses("5551")).toBe(0);
  expect(await countProcesses("5552")).toBe(1);
});

test("files and folders are copied in and out, links of the guest are not followed out", async () => {
  mkdirSync(join(folder, "in/sub"), { recursive: true });
  const big = Buffer.from(Array.from({ length: 1_500_000 }, (_, index) => (index * 31) & 0xff));
  writeFileSync(join(folder, "in/big.bin"), big, { mode: 0o755 });
  writeFileSync(join(folder, "in/sub/empty"), "");
  symlinkSync("/etc/passwd", join(folder, "in/link"));
  await inGuest(async (guest) => {
    const sent = await copyIn(nodeFiles, guest, join(folder, "in"), "/root/new/place");
    expect(sent).toMatchObject({ fileCount: 2, sizeBytes: big.length, skipped: [join(folder, "in/link")] });
    await collectCommand(guest, { argv: ["ln", "-s", "/etc/shadow", "/root/new/place/evil"] });
    const got = await copyOut(nodeFiles, guest, "/root/new/place", join(folder, "out"));
    expect(got).toMatchObject({ fileCount: 2, skipped: ["/root/new/place/evil"] });
  });
  expect(readFileSync(join(folder, "out/big.bin")).equals(big)).toBe(true);
  expect(readFileSync(join(folder, "out/sub/empty"))).toHaveLength(0);
  expect((await run("stat -c %a /root/new/place/big.bin")).stdout.toString().trim()).toBe("755");
});

test("a file whose source fails half way is not there, and its old content stays", async () => {
  await run("echo old > /root/kept");
  const failing = Readable.from(
    (function* () {
      yield Buffer.alloc(300_000);
      throw new Error("the source broke");
    })(),
  );
  await inGuest(async (guest) => {
    await expect(writeGuestFile(guest, "/root/kept", failing)).rejects.toThrow(/source broke/);
    await guest.ping();
  });
  expect((await run("cat /root/kept")).stdout.toString()).toBe("old\n");
});

test("the guest finds its way after half a frame", async () => {
  const path = `${lab.context.home.sandboxFolder(sandbox.id)}/guest-0.sock`;
  const connection = await connectUnixSocket(path);
  const frame = encodeGuestFrame(guestFrameTypes.stdin, 1, Buffer.alloc(60_000, 1));
  await new Promise<void>((resolve) => connection.write(frame.subarray(0, 30_000), () => resolve()));
  connection.destroy();
  expect((await run("echo still here")).stdout.toString()).toBe("still here\n");
});

test("a ninth process is told that all ports are in use", async () => {
  const sessions = [];
  for (let port = 0; port < 8; port += 1) sessions.push(await openGuestSession(lab.context, sandbox));
  await expect(openGuestSession(lab.context, sandbox)).rejects.toThrow(/8 processes/);
  for (const session of sessions) await session.close();
});

test("the command line passes input, output and exit codes through", () => {
  const { code, stdout, stderr } = lab.cli([
    "sandbox",
    "exec",
    "guest-under-test",
    "--",
    "sh",
    "-c",
    "echo out; echo err >&2; exit 9",
  ]);
  expect({ code, stdout, stderr }).toEqual({ code: 9, stdout: "out\n", stderr: "err\n" });
  expect(
    lab.cli(["sandbox", "exec", "guest-under-test", "--timeout", "500ms", "--", "sleep", "60"]).code,
  ).toBe(124);
  expect(lab.cli(["sandbox", "exec", "guest-under-test", "--", "sh", "-c", "kill -15 $$"]).code).toBe(143);
  expect(lab.cli(["sandbox", "exec", "no-such", "--", "true"]).code).toBe(3);
  const listed = JSON.parse(lab.cli(["sandbox", "ls", "--json"]).stdout);
  expect(listed).toMatchObject([
    { name: "guest-under-test", state: "running", accelerator: "tcg", image: "debian" },
  ]);
});
