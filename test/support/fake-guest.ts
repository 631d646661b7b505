import { Duplex } from "node:stream";
import type { GuestChannel } from "../../src/sandbox/guest/channel.ts";
import {
  createGuestFrameParser,
  encodeGuestFrame,
  type GuestFrame,
  guestFrameTypes as types,
} from "../../src/sandbox/guest/frame.ts";
import { openGuestChannel } from "../../src/sandbox/guest/open-channel.ts";
import { nodeClock } from "../../src/system/clock.ts";

export interface FakeGuest {
  readonly connection: Duplex;
  /** What the host said, oldest first; `types.hello` is answered already. */
  readonly heard: GuestFrame[];
  say(type: number, stream: number, payload?: Uint8Array): void;
  /** Any bytes, as a program in the guest may write them to the port. */
  sayBytes(bytes: Uint8Array): void;
}

/** A guest at the other end of a port that speaks the real protocol, and says otherwise what a test wants. */
export function createFakeGuest(onFrame: (frame: GuestFrame) => void = () => undefined): FakeGuest {
  const heard: GuestFrame[] = [];
  const parser = createGuestFrameParser();
  const connection: Duplex = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      for (const frame of parser.push(chunk)) {
        heard.push(frame);
        if (frame.type === types.hello) say(types.helloReply, 0, helloReply(frame.payload));
        else onFrame(frame);
      }
      if (!connection.destroyed) done(); // an answer may have made the host hang up
    },
  });
  const sayBytes = (bytes: Uint8Array) => void connection.push(bytes);
  const say: FakeGuest["say"] = (type, stream, payload) => sayBytes(encodeGuestFrame(type, stream, payload));
  return { connection, heard, say, sayBytes };
}

export function openFakeChannel({ connection }: FakeGuest): Promise<GuestChannel> {
  return openGuestChannel(connection, {
    clock: nodeClock,
    nonce: Buffer.alloc(8, 7),
    generation: 1,
    timeoutMs: 10_000,
  });
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function helloReply(hello: Buffer): Buffer {
  const reply = Buffer.alloc(16);
  hello.copy(reply, 0, 0, 12);
  reply.writeUInt32LE(1, 12);
  return reply;
}
