import { sha256Hex } from "../../base/digest.ts";
import type { SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import type { GuestChannel } from "./channel.ts";
import type { GuestIdentity } from "./message.ts";
import { collectCommand } from "./session.ts";

const hookTimeoutMs = 30_000;

/** Who a guest is from now on. */
export interface NewIdentity {
  readonly guest: GuestIdentity;
  /** For generators inside processes, 64 hex digits. */
  readonly hookSeed: string;
}

export function planIdentity(context: SandboxContext, record: SandboxRecord): NewIdentity {
  const seed = context.random.bytes(64);
  return {
    guest: {
      seed: seed.subarray(0, 32),
      unixTimeMs: context.clock.nowMs(),
      hostName: record.name ?? record.id,
      // stable for the life of the sandbox, and no other's
      machineId: sha256Hex(`machine\0${context.home.secret}\0${record.id}`).slice(0, 32),
      network: record.network !== undefined,
      bootId: uuidOf(sha256Hex(`boot\0${context.home.secret}\0${record.id}\0${record.generation}`)),
    },
    hookSeed: seed.toString("hex", 32),
  };
}

/**
 * Gives a guest that has just started or been restored its own identity: fresh randomness, the time, machine-id, boot
 * id and host name; then the image's hooks, which renew what lives in processes. Returns what went wrong, one text
 * each: a guest with such a text runs, but may share something with its siblings.
 */
export async function renewGuest(
  guest: GuestChannel,
  identity: NewIdentity,
  generation: number,
): Promise<readonly string[]> {
  const renewed = await guest.renewIdentity(identity.guest);
  const problems = [...renewed.problems];
  for (const hook of renewed.hooks) {
    const env = { KEYFRAME_GENERATION: String(generation), KEYFRAME_SEED: identity.hookSeed };
    const { exit, stderr } = await collectCommand(guest, {
      argv: [hook],
      env,
      cwd: "/",
      timeoutMs: hookTimeoutMs,
    });
    if (exit.kind === "code" && exit.code === 0) continue;
    problems.push(
      `${hook} failed: ${exit.timedOut ? "timed out" : stderr.toString("utf8").trim().slice(0, 500)}`,
    );
  }
  return problems;
}

/** Version 4 in form, from 32 hex digits. */
function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
