import { KeyframeError } from "../../base/errors.ts";
import { type GuestFrame, maxGuestPayloadBytes, guestFrameTypes as types } from "./frame.ts";

interface FrameRule {
  readonly name: string;
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/** Longest DNS message that a datagram of the guest's carries. */
const maxDnsBytes = 4096;

/** All that a guest may say. What readers take from a payload is covered by the least number of bytes. */
const lengths = {
  helloReply: [16, 16],
  identityReply: [0, maxGuestPayloadBytes],
  pong: [0, maxGuestPayloadBytes],
  started: [4, 4],
  stdout: [1, maxGuestPayloadBytes],
  stderr: [1, maxGuestPayloadBytes],
  exit: [6, 6],
  failed: [4, maxGuestPayloadBytes],
  stdinCredit: [4, 4],
  outputEnd: [0, 0],
  dial: [6, 6],
  resolve: [1, maxDnsBytes],
} as const satisfies Partial<Record<keyof typeof types, readonly [number, number]>>;

/** What a guest begins by itself: nobody waits for it, so a broken one is passed over. */
const unasked: readonly string[] = ["dial", "resolve"];

const rules: ReadonlyMap<number, FrameRule> = new Map(
  typedEntries(lengths).map(([name, [leastBytes, mostBytes]]) => [
    types[name],
    { name, leastBytes, mostBytes },
  ]),
);

/**
 * Whether a frame means anything here: one of an unknown type does not. @throws KeyframeError `guest-failed` for a
 * frame that the program in the guest never sends
 */
export function isGuestFrame({ type, payload }: GuestFrame): boolean {
  const rule = rules.get(type);
  if (rule === undefined) return false;
  if (payload.length >= rule.leastBytes && payload.length <= rule.mostBytes) return true;
  if (unasked.includes(rule.name)) return false;
  throw brokenRules(`a ${rule.name} of ${payload.length} bytes`);
}

function typedEntries<Key extends string, Value>(record: Readonly<Record<Key, Value>>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}

/** The guest, or whoever took its place in there, does not keep to the protocol: the conversation ends. */
export function brokenRules(what: string): KeyframeError {
  return new KeyframeError("guest-failed", `the guest breaks the protocol: it sent ${what}`, {
    hint: "a program in the guest may have taken over its port; the connection was closed",
  });
}
