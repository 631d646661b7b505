import { KeyframeError } from "../../base/errors.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { collectCommand } from "../../sandbox/guest/session.ts";

/** The user that agents are inside: a machine is its own. */
export const guestHome = "/root";

export const guestEnvironment: Readonly<Record<string, string>> = {
  HOME: guestHome,
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
};

export interface GuestScript {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it is for, in the message of a failure. */
  readonly to: string;
}

/** Runs a shell script in the guest; returns its output. @throws KeyframeError `guest-failed` */
export async function guestScript(
  guest: GuestChannel,
  script: string,
  options: GuestScript,
): Promise<string> {
  const { exit, stdout, stderr } = await collectCommand(guest, {
    argv: ["sh", "-euc", script],
    env: { ...guestEnvironment, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (exit.kind === "code" && exit.code === 0) return stdout.toString("utf8");
  throw new KeyframeError(
    "guest-failed",
    `the machine could not ${options.to}: ${stderr.toString("utf8").trim().slice(-1000)}`,
  );
}
