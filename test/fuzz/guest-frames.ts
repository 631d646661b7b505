import { isKeyframeError } from "../../src/base/errors.ts";
import type { GuestChannel } from "../../src/sandbox/guest/channel.ts";
import { encodeGuestFrame, guestFrameTypes as types } from "../../src/sandbox/guest/frame.ts";
import { createNetworkRelay } from "../../src/sandbox/network/relay.ts";
import { parseNetworkRule } from "../../src/sandbox/network/rules.ts";
import { createFakeGuest, openFakeChannel } from "../support/fake-guest.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";

/** What the guest says in these streams reaches commands, connections or nobody. */
const openCommands = 4;
const framesPerTurn = 50;
const anyType = Object.values(types);
const right: readonly [number, number][] = [
  [types.started, 4],
  [types.stdout, 100],
  [types.stderr, 100],
  [types.exit, 6],
  [types.failed, 20],
  [types.stdinCredit, 4],
  [types.outputEnd, 0],
  [types.dial, 6],
  [types.resolve, 40],
  [types.pong, 0],
  [types.identityReply, 10],
];

/**
 * A guest that says anything, for so many frames: right ones, wrong lengths, bytes between them, floods. The host has
 * commands and connections open with it whose output it reads, or not. Whatever comes, a conversation goes on or ends
 * with one of our errors. Returns how many conversations it took.
 */
export async function fuzzGuestFrames(options: {
  readonly runs: number;
  readonly seed: number;
}): Promise<number> {
  const random = seededRandom(options.seed);
  let conversations = 0;
  for (let said = 0; said < options.runs; ) {
    conversations += 1;
    said += await converse(random, options.runs - said);
  }
  return conversations;
}

async function converse(random: SeededRandom, most: number): Promise<number> {
  const fake = createFakeGuest();
  const guest = await openFakeChannel(fake);
  let over = false;
  void guest.closed.then(() => {
    over = true;
  });
  guest.serveNetwork(relay());
  const ends = Array.from({ length: openCommands }, () => useCommand(guest, random));
  let said = 0;
  while (!over && said < most) {
    for (let index = 0; index < framesPerTurn; index += 1) fake.sayBytes(anything(random));
    said += framesPerTurn;
    fake.heard.length = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  guest.close();
  for (const end of ends) await end;
  return said;
}

function relay() {
  return createNetworkRelay(
    [parseNetworkRule("public")],
    {
      connect: () => Promise.reject(new Error("nothing is there")),
      resolve: async () => ["192.0.2.1"],
      ownAddresses: () => [],
    },
    () => undefined,
  );
}

/** Ends with the command; throws what is not an error of ours. */
async function useCommand(guest: GuestChannel, random: SeededRandom): Promise<void> {
  const command = random.below(2) === 0 ? guest.run({ argv: ["cat"] }) : guest.connect(80);
  if (random.below(2) === 0) command.stdout.resume();
  command.stderr.resume();
  command.stdin.write(Buffer.alloc(random.below(1_000_000)));
  const failed = await command.exited.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failed !== undefined && !isKeyframeError(failed)) throw failed;
}

function anything(random: SeededRandom): Buffer {
  const stream = random.below(8) === 0 ? 0x80000000 + random.below(100) : random.below(openCommands + 2);
  switch (random.below(60)) {
    case 0:
      return random.bytes(random.below(100));
    case 1:
      return encodeGuestFrame(random.pick(anyType), stream, random.bytes(random.below(64)));
    case 2:
      return cut(encodeGuestFrame(types.stdout, stream, random.bytes(50)), random);
    case 3:
      return Buffer.concat(
        Array.from({ length: 8 }, () => encodeGuestFrame(types.stdout, stream, Buffer.alloc(65536))),
      );
    default: {
      const [type, bytes] = random.pick(right);
      const payload =
        type === types.stdinCredit ? Buffer.from([random.below(256), 0, 0, 0]) : random.bytes(bytes);
      return encodeGuestFrame(type, stream, payload);
    }
  }
}

function cut(bytes: Buffer, random: SeededRandom): Buffer {
  return bytes.subarray(0, random.below(bytes.length));
}
