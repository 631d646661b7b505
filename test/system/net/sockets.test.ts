// Covers src/system/net/**.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  addressText,
  connectNodeSocket,
  listenNodeSocket,
  type SocketAddress,
} from "../../../src/system/net/sockets.ts";
import { scratchFolder } from "../../support/scratch.ts";

async function echoThrough(address: SocketAddress): Promise<void> {
  const server = await listenNodeSocket(address, (socket) => {
    socket.handle({ onData: (bytes) => socket.write(bytes, () => socket.end()), onClose: () => undefined });
  });
  const client = await connectNodeSocket(server.address);
  const received: Buffer[] = [];
  const closed = new Promise<void>((resolve) => {
    client.handle({ onData: (bytes) => received.push(bytes), onClose: resolve });
  });
  client.cork();
  client.write(Buffer.from("he"));
  client.write(Buffer.from("llo"));
  client.uncork();
  await closed;
  expect(Buffer.concat(received).toString()).toBe("hello");
  await server.close();
}

test("bytes go there and back over a unix socket and over TCP", async () => {
  await echoThrough({ path: join(scratchFolder(), "s") });
  await echoThrough({ port: 0 });
});

test("a unix socket in use is refused, and one that nobody answers on is replaced", async () => {
  const address = { path: join(scratchFolder(), "s") };
  const server = await listenNodeSocket(address, () => undefined);
  await expect(listenNodeSocket(address, () => undefined)).rejects.toMatchObject({ code: "refused" });
  await server.close();
  const dying = `require("net").createServer().listen(${JSON.stringify(address.path)}, () => process.kill(process.pid, 9))`;
  expect(spawnSync(process.execPath, ["-e", dying]).signal).toBe("SIGKILL");
  expect(existsSync(address.path)).toBe(true);
  await echoThrough(address);
});

test("a file that is no socket is never taken for an abandoned one", async () => {
  const path = join(scratchFolder(), "precious");
  writeFileSync(path, "keep me");
  await expect(listenNodeSocket({ path }, () => undefined)).rejects.toMatchObject({ code: "refused" });
  expect(readFileSync(path, "utf8")).toBe("keep me");
});

test("connecting to nobody says where", async () => {
  const path = join(scratchFolder(), "nobody");
  await expect(connectNodeSocket({ path })).rejects.toThrow(`unix:${path}`);
  expect(addressText({ port: 7 })).toBe("127.0.0.1:7");
});

test("a path that is too long for a socket is refused, and nothing listens at a part of it", async () => {
  const folder = scratchFolder();
  const path = join(folder, "x".repeat(108 - folder.length));
  await expect(listenNodeSocket({ path }, () => undefined)).rejects.toMatchObject({ code: "refused" });
  expect(readdirSync(folder)).toEqual([]);
});
