import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { connectUnixSocket } from "../../system/net/unix-socket.ts";
import { guestPortCount } from "../limits.ts";
import { noteUse } from "../qemu/last-use.ts";
import { machineFiles } from "../qemu/qemu-arguments.ts";
import { lockInHome, type SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import type { GuestChannel } from "./channel.ts";
import { type GuestChannelOptions, openGuestChannel } from "./open-channel.ts";

export interface GuestSession {
  readonly guest: GuestChannel;
  /** Which of the guest's ports is used. */
  readonly port: number;
  close(): Promise<void>;
}

const answerTimeoutMs = 30_000;

type TalkingSandbox = Pick<SandboxRecord, "id" | "generation" | "idleMs">;

export interface SessionOptions extends Partial<Pick<GuestChannelOptions, "identity" | "onSpoken">> {
  /** How long the guest may take for its first answer. */
  readonly timeoutMs?: number;
  /** The conversation of the process beside the machine: it is no use of the sandbox. */
  readonly sidecar?: boolean;
}

/**
 * A conversation with a sandbox's guest on a port that no other process uses. `lock-busy` if all are in use.
 */
export async function openGuestSession(
  context: SandboxContext,
  record: TalkingSandbox,
  options: SessionOptions = {},
): Promise<GuestSession> {
  for (let port = 0; port < guestPortCount; port += 1) {
    const lock = await lockInHome(context, `guest-${record.id}-${port}`, 0).catch((error: unknown) => {
      if (isKeyframeError(error, "lock-busy")) return undefined;
      throw error;
    });
    if (lock === undefined) continue;
    try {
      const path = `${context.home.sandboxFolder(record.id)}/${machineFiles.guestPort(port)}`;
      const guest = await openGuestChannel(await connectUnixSocket(path), {
        clock: context.clock,
        nonce: context.random.bytes(8),
        generation: record.generation,
        timeoutMs: options.timeoutMs ?? answerTimeoutMs,
        ...(options.identity === undefined ? {} : { identity: options.identity }),
        ...(options.onSpoken === undefined ? {} : { onSpoken: options.onSpoken }),
      });
      if (options.sidecar !== true) noteUse(context, record);
      return {
        guest,
        port,
        async close() {
          guest.close();
          if (options.sidecar !== true) noteUse(context, record);
          await lock.release();
        },
      };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }
  throw new KeyframeError(
    "lock-busy",
    `${guestPortCount} processes are talking to sandbox ${record.id} already`,
    {
      hint: "wait for one of the commands to end",
    },
  );
}

export async function withGuest<T>(
  context: SandboxContext,
  record: TalkingSandbox,
  work: (guest: GuestChannel) => Promise<T>,
): Promise<T> {
  const session = await openGuestSession(context, record);
  try {
    return await work(session.guest);
  } finally {
    await session.close();
  }
}

export interface CollectedCommand {
  readonly exit: import("./message.ts").CommandExit;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Runs a command to its end, holding its output in memory: `too-large` beyond `maxOutputBytes`. */
export async function collectCommand(
  guest: GuestChannel,
  request: import("./message.ts").CommandRequest,
  options: { readonly stdin?: Uint8Array; readonly maxOutputBytes?: number } = {},
): Promise<CollectedCommand> {
  const command = guest.run(request);
  const limit = options.maxOutputBytes ?? 64 * 1024 * 1024;
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let total = 0;
  let excess = false;
  const collect = (pieces: Buffer[]) => (piece: Buffer) => {
    total += piece.length;
    if (total <= limit) pieces.push(piece);
    else if (!excess) {
      excess = true;
      command.cancel();
    }
  };
  command.stdout.on("data", collect(stdout));
  command.stderr.on("data", collect(stderr));
  command.stdin.end(options.stdin ?? Buffer.alloc(0));
  const ended = [command.stdout, command.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.once("close", () => resolve())),
  );
  const exit = await command.exited;
  await Promise.all(ended);
  if (excess) throw new KeyframeError("too-large", `the command printed more than ${limit} bytes`);
  return { exit, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
}
