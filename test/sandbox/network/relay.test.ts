import { Duplex, PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createGuestCommand } from "../../../src/sandbox/guest/command.ts";
import {
  createGuestFrameParser,
  encodeGuestFrame,
  type GuestFrame,
  guestFrameTypes,
} from "../../../src/sandbox/guest/frame.ts";
import { openGuestChannel } from "../../../src/sandbox/guest/open-channel.ts";
import { maxGuestConnections } from "../../../src/sandbox/limits.ts";
import { createNetworkRelay, hostAlias, type OutsideNetwork } from "../../../src/sandbox/network/relay.ts";
import { parseNetworkRule } from "../../../src/sandbox/network/rules.ts";
import { nodeClock } from "../../../src/system/clock.ts";

/** An outside of our own; `connected` is what the relay really reached. */
function fakeOutside(answers: Readonly<Record<string, readonly string[]>>) {
  const connected: string[] = [];
  const asked: string[] = [];
  const outside: OutsideNetwork = {
    async connect({ address, port }) {
      connected.push(`${address}:${port}`);
      return new PassThrough();
    },
    async resolve(name) {
      asked.push(name);
      return answers[name] ?? [];
    },
    ownAddresses: () => ["93.184.216.99"],
  };
  return { connected, asked, outside };
}

const question = (name: string) =>
  Buffer.concat([
    Buffer.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.from([0, 0, 1, 0, 1]),
  ]);

/** Dials, and waits until the relay has connected or has sent `cancel`. */
async function dial(
  relay: ReturnType<typeof createNetworkRelay>,
  address: string,
  port: number,
  connected: string[],
) {
  let cancelled = false;
  const { command } = createGuestCommand((type) => {
    if (type === guestFrameTypes.cancel) cancelled = true;
  });
  const before = connected.length;
  relay.dial({ address, port }, command);
  while (!cancelled && connected.length === before) await new Promise((resolve) => setImmediate(resolve));
  return cancelled ? "refused" : connected.at(-1);
}

test("a name opens the public addresses that were its answer, and not the private ones among them", async () => {
  const { connected, outside } = fakeOutside({
    "good.example": ["93.184.216.34", "127.0.0.1", "169.254.169.254", "93.184.216.99"],
  });
  const said: string[] = [];
  const relay = createNetworkRelay([parseNetworkRule("good.example:443")], outside, (text) =>
    said.push(text),
  );
  expect((await relay.resolve(question("good.example")))?.readUInt16BE(6)).toBe(4);
  expect(await dial(relay, "93.184.216.34", 443, connected)).toBe("93.184.216.34:443");
  expect(await dial(relay, "93.184.216.34", 80, connected)).toBe("refused");
  expect(await dial(relay, "127.0.0.1", 443, connected)).toBe("refused");
  expect(await dial(relay, "169.254.169.254", 443, connected)).toBe("refused");
  expect(await dial(relay, "93.184.216.99", 443, connected)).toBe("refused");
  expect(await dial(relay, hostAlias, 443, connected)).toBe("refused");
  expect(connected).toEqual(["93.184.216.34:443"]);
  await dial(relay, "127.0.0.1", 443, connected);
  expect(said.filter((text) => text.includes("127.0.0.1:443"))).toHaveLength(1);
});

test("an address that the guest knows from before a fork is found again by the names of the rules", async () => {
  const { connected, asked, outside } = fakeOutside({ "good.example": ["93.184.216.34"] });
  const relay = createNetworkRelay([parseNetworkRule("good.example")], outside, () => undefined);
  expect(await dial(relay, "93.184.216.34", 443, connected)).toBe("93.184.216.34:443");
  expect(await dial(relay, "93.184.216.35", 443, connected)).toBe("refused");
  expect(asked).toContain("good.example");
});

test("a name that no rule mentions is never asked of this machine's resolver", async () => {
  const { asked, outside } = fakeOutside({});
  const relay = createNetworkRelay([parseNetworkRule("good.example")], outside, () => undefined);
  expect(((await relay.resolve(question("c2VjcmV0.evil.example")))?.readUInt8(3) ?? 0) & 15).toBe(5);
  expect(asked).toEqual([]);
  expect(((await relay.resolve(question("good.example")))?.readUInt8(3) ?? 0) & 15).toBe(3);
  expect(await relay.resolve(Buffer.from("no question"))).toBeUndefined();
});

test("this machine's loopback is reached by its alias and a rule with its address only", async () => {
  const { connected, outside } = fakeOutside({});
  const relay = createNetworkRelay([parseNetworkRule("127.0.0.1:8080")], outside, () => undefined);
  expect(await dial(relay, hostAlias, 8080, connected)).toBe("127.0.0.1:8080");
  expect(await dial(relay, hostAlias, 8081, connected)).toBe("refused");
});

/** A guest that answers hello, and says otherwise what the test wants. */
function fakeGuest() {
  const heard: GuestFrame[] = [];
  const parser = createGuestFrameParser();
  const connection = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      for (const frame of parser.push(chunk)) {
        heard.push(frame);
        if (frame.type !== guestFrameTypes.hello) continue;
        const reply = Buffer.alloc(16);
        frame.payload.copy(reply, 0, 0, 12);
        reply.writeUInt32LE(1, 12);
        connection.push(encodeGuestFrame(guestFrameTypes.helloReply, 0, reply));
      }
      done();
    },
  });
  return { connection, heard };
}

test("a hostile guest can neither take over a stream of the host's nor begin endlessly many", async () => {
  const { connection, heard } = fakeGuest();
  const guest = await openGuestChannel(connection, {
    clock: nodeClock,
    nonce: Buffer.alloc(8, 7),
    generation: 1,
    timeoutMs: 10_000,
  });
  const dialed: number[] = [];
  guest.serveNetwork({ dial: ({ port }) => void dialed.push(port), resolve: async () => undefined });
  const command = guest.run({ argv: ["true"] });
  const stream = heard.at(-1)?.stream ?? 0;
  const dialFrame = (id: number, port: number) => {
    const payload = Buffer.from([1, 2, 3, 4, 0, 0]);
    payload.writeUInt16LE(port, 4);
    return encodeGuestFrame(guestFrameTypes.dial, id, payload);
  };
  connection.push(dialFrame(stream, 1));
  connection.push(dialFrame(0x80000001, 2));
  connection.push(dialFrame(0x80000001, 3));
  connection.push(encodeGuestFrame(guestFrameTypes.dial, 0x80000002, Buffer.alloc(3)));
  connection.push(encodeGuestFrame(guestFrameTypes.exit, stream, Buffer.from([0, 0, 7, 0, 0, 0])));
  expect(await command.exited).toEqual({ kind: "code", code: 7, timedOut: false });
  expect(dialed).toEqual([2]);
  for (let id = 0; id < 4 * maxGuestConnections; id += 1) connection.push(dialFrame(0x80001000 + id, 9));
  await new Promise((resolve) => setImmediate(resolve));
  expect(dialed.length).toBeLessThanOrEqual(2 * maxGuestConnections + 1);
  expect(heard.filter(({ type }) => type === guestFrameTypes.cancel).length).toBeGreaterThan(
    maxGuestConnections,
  );
  guest.close();
});
