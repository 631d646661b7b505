import { KeyframeError } from "../../base/errors.ts";
import type { GuestCommand } from "./command.ts";

export interface OutputLimits {
  /** What the command does, as in "could not ...". */
  readonly what: string;
  readonly maxBytes: number;
  /** The text of the `too-large` error. */
  readonly tooLarge: string;
}

/** The whole output of a file operation that takes no input; `too-large` beyond the limit, `guest-failed` as below. */
export async function collectOutput(command: GuestCommand, limits: OutputLimits): Promise<Buffer> {
  command.stdin.end();
  command.stderr.resume();
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of command.stdout as AsyncIterable<Buffer>) {
    total += piece.length;
    if (total > limits.maxBytes) {
      command.cancel();
      throw new KeyframeError("too-large", limits.tooLarge);
    }
    pieces.push(piece);
  }
  await mustSucceed(command, limits.what);
  return Buffer.concat(pieces);
}

/** Waits for the end; `guest-failed` unless it is an exit with 0. */
export async function mustSucceed(command: GuestCommand, what: string): Promise<void> {
  const exit = await command.exited;
  if (exit.kind === "code" && exit.code === 0) return;
  throw new KeyframeError(
    "guest-failed",
    `the guest could not ${what}: ${exit.kind} ${exit.kind === "code" ? exit.code : exit.signal}`,
  );
}
