import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copyOut } from "../../src/sandbox/guest/copy-files.ts";
import { guestFrameTypes as types } from "../../src/sandbox/guest/frame.ts";
import { collectCommand } from "../../src/sandbox/guest/session.ts";
import { mayConnect, parseNetworkRule } from "../../src/sandbox/network/rules.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { fuzzGuestFrames } from "../fuzz/guest-frames.ts";
import { createFakeGuest, type FakeGuest, openFakeChannel, uint32 } from "../support/fake-guest.ts";
import { scratchFolder } from "../support/scratch.ts";
import { type TarMemberSpec, tarOf } from "../support/tar-of.ts";

// Whoever has root in a guest says on its port what he likes: the host must neither end, nor hold more than it allowed.

const broken = { code: "guest-failed", message: expect.stringContaining("breaks the protocol") };

test.each([
  ["started", types.started, 1],
  ["exit", types.exit, 1],
  ["failed", types.failed, 3],
  ["stdin credit", types.stdinCredit, 0],
  ["end of output with bytes", types.outputEnd, 1],
  ["empty output", types.stdout, 0],
])("a short or long frame (%s) ends its conversation, with the reason", async (_, type, bytes) => {
  const fake = createFakeGuest((frame) => {
    if (frame.type === types.exec) fake.say(type, frame.stream, Buffer.alloc(bytes));
  });
  const guest = await openFakeChannel(fake);
  const command = guest.run({ argv: ["true"] });
  await expect(command.exited).rejects.toMatchObject(broken);
  await guest.closed;
  await expect(guest.ping()).rejects.toMatchObject({ code: "guest-failed" });
  expect(fake.connection.destroyed).toBe(true);
});

test("output beyond the window ends the conversation: a slow reader's memory is bounded", async () => {
  const fake = createFakeGuest();
  const guest = await openFakeChannel(fake);
  const command = guest.run({ argv: ["yes"] });
  const stream = fake.heard.at(-1)?.stream ?? 0;
  for (let sent = 0; sent < 64; sent += 1) fake.say(types.stdout, stream, Buffer.alloc(65536));
  await expect(command.exited).rejects.toMatchObject(broken);
  // what the stream reads ahead, and one window
  expect(command.stdout.readableLength).toBeLessThanOrEqual((128 + 256) * 1024);
});

test("output and error share the window, and what is read makes room again", async () => {
  const fake = createFakeGuest();
  const guest = await openFakeChannel(fake);
  const command = guest.run({ argv: ["yes"] });
  const stream = fake.heard.at(-1)?.stream ?? 0;
  command.stdout.resume();
  command.stderr.resume();
  let granted = 256 * 1024;
  for (let sent = 0; sent < 400; sent += 1) {
    while (granted < 32768) {
      await new Promise((resolve) => setImmediate(resolve));
      for (const frame of fake.heard.splice(0))
        if (frame.type === types.credit) granted += frame.payload.readUInt32LE(0);
    }
    fake.say(sent % 2 === 0 ? types.stdout : types.stderr, stream, Buffer.alloc(32768));
    granted -= 32768;
  }
  fake.say(types.exit, stream, Buffer.alloc(6));
  expect(await command.exited).toMatchObject({ code: 0 });
  guest.close();
});

test("credit that was not used up does not make the host write without bound", async () => {
  const fake = createFakeGuest();
  const guest = await openFakeChannel(fake);
  const command = guest.run({ argv: ["cat"] });
  const stream = fake.heard.at(-1)?.stream ?? 0;
  command.stdin.on("error", () => undefined);
  command.stdin.write(Buffer.alloc(10 * 1024 * 1024));
  fake.say(types.stdinCredit, stream, uint32(0xffffffff));
  await expect(command.exited).rejects.toMatchObject(broken);
  const written = fake.heard.reduce((sum, { payload }) => sum + payload.length, 0);
  expect(written).toBeLessThan(512 * 1024);
});

test("output after its end is refused and not an uncaught error", async () => {
  const fake = createFakeGuest();
  const guest = await openFakeChannel(fake);
  const command = guest.connect(80);
  const stream = fake.heard.at(-1)?.stream ?? 0;
  fake.say(types.outputEnd, stream);
  fake.say(types.stdout, stream, Buffer.from("more"));
  await expect(command.exited).rejects.toMatchObject(broken);
});

test("a guest that asks and does not listen gets no more answers; one that reads nothing at all is cut off", async () => {
  const fake = createFakeGuest();
  const guest = await openFakeChannel(fake);
  fake.connection._write = () => undefined; // never taken
  const dial = Buffer.from([1, 2, 3, 4, 80, 0]);
  for (let id = 0; id < 300_000; id += 1) fake.say(types.dial, 0x80000000 + id, dial);
  await new Promise((resolve) => setImmediate(resolve));
  expect(fake.connection.writableLength).toBeLessThan(5 * 1024 * 1024);
  for (let count = 0; count < 300; count += 1) {
    const command = guest.run({ argv: ["cat"] });
    command.stdout.resume();
    command.stderr.resume();
    command.stdin.write(Buffer.alloc(256 * 1024));
  }
  await guest.closed;
  await expect(guest.ping()).rejects.toMatchObject({ code: "guest-gone" });
});

test("one guest's lies end no other guest's command", async () => {
  const liar = createFakeGuest((frame) => liar.say(types.exit, frame.stream, Buffer.alloc(1)));
  const honest = createFakeGuest();
  const lied = (await openFakeChannel(liar)).run({ argv: ["true"] });
  const other = await openFakeChannel(honest);
  const told = collectCommand(other, { argv: ["true"] });
  const stream = honest.heard.at(-1)?.stream ?? 0;
  await expect(lied.exited).rejects.toMatchObject(broken);
  honest.say(types.exit, stream, Buffer.alloc(6));
  expect((await told).exit).toMatchObject({ code: 0 });
  other.close();
});

test.each([
  "168.63.129.16",
  "169.254.169.254",
  "100.100.100.200",
  "192.0.0.192",
  "192.80.8.124",
  "161.26.0.10",
])("what is public does not include the cloud's own service at %s", (address) => {
  const target = { address, port: 80, names: ["evil.example"] };
  for (const rule of ["public", "evil.example"])
    expect(mayConnect([parseNetworkRule(rule)], target, [])).toBe(false);
  expect(mayConnect([parseNetworkRule(address)], target, [])).toBe(true);
});

const link = (path: string, linkTarget: string) => ({ path, kind: "symlink" as const, linkTarget });

test.each<[string, (outside: string) => TarMemberSpec[], string]>([
  ["a path that climbs", () => [{ path: "./", kind: "folder" }, { path: "./../outside/evil" }], "refused"],
  ["an absolute path", (to) => [{ path: "./", kind: "folder" }, { path: `${to}/evil` }], "refused"],
  [
    "a file below a link of its own",
    (to) => [{ path: "./", kind: "folder" }, link("./x", to), { path: "./x/evil" }],
    "not-found",
  ],
  [
    "a file that is named twice",
    () => [{ path: "./", kind: "folder" }, { path: "./a" }, { path: "./a" }],
    "io-failed",
  ],
  [
    "a file where the folder should be, and one below it",
    () => [{ path: "." }, { path: "./a" }],
    "not-found",
  ],
])("%s in a copy out of a guest writes nothing", async (_, members, code) => {
  const folder = scratchFolder();
  const outside = join(folder, "outside");
  mkdirSync(outside);
  const fake = packing(tarOf(members(outside)));
  const guest = await openFakeChannel(fake);
  await expect(copyOut(nodeFiles, guest, "/srv", join(folder, "in"))).rejects.toMatchObject({ code });
  expect(readdirSync(folder)).toEqual(["outside"]);
  expect(readdirSync(outside)).toEqual([]);
  guest.close();
});

test("a copy out of a guest that is cut off leaves what was there; links are named and not made", async () => {
  const folder = scratchFolder();
  mkdirSync(join(folder, "in"));
  writeFileSync(join(folder, "in/a"), "old");
  const tar = tarOf([
    { path: "./", kind: "folder" },
    { path: "./a", content: "new", mode: 0o4755 },
    link("./b", "/etc/shadow"),
    { path: "./c", content: "x".repeat(5000) },
  ]);
  const cut = await openFakeChannel(packing(tar.subarray(0, tar.length - 3000)));
  await expect(copyOut(nodeFiles, cut, "/srv", join(folder, "in"))).rejects.toMatchObject({
    code: "damaged",
  });
  expect(readdirSync(folder)).toEqual(["in"]);
  expect(readFileSync(join(folder, "in/a"), "utf8")).toBe("old");
  const whole = await openFakeChannel(packing(tar));
  const result = await copyOut(nodeFiles, whole, "/srv", join(folder, "in"));
  expect(result).toEqual({ fileCount: 2, sizeBytes: 5003, skipped: ["/srv/b"] });
  expect(readdirSync(join(folder, "in"))).toEqual(["a", "c"]);
  expect(statSync(join(folder, "in/a")).mode & 0o7777).toBe(0o755);
});

/** Answers every request for files with these bytes. */
function packing(bytes: Buffer): FakeGuest {
  const fake = createFakeGuest(({ type, stream }) => {
    if (type !== types.files) return;
    for (let at = 0; at < bytes.length; at += 60_000)
      fake.say(types.stdout, stream, bytes.subarray(at, at + 60_000));
    fake.say(types.exit, stream, Buffer.alloc(6));
  });
  return fake;
}

test("any frames end in a conversation that goes on or in an error of ours", async () => {
  expect(await fuzzGuestFrames({ runs: 20_000, seed: 1 })).toBeGreaterThan(5);
});
