import { shellQuote } from "../../base/text/shell-words.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import type { GuestCommand } from "../../sandbox/guest/command.ts";
import { exitCodeFor } from "../../sandbox/guest/message.ts";
import type { Files } from "../../system/files/files.ts";
import type {
  ContainedOptions,
  ContainedProcess,
  ContainedResult,
} from "../../system/process/contained-process.ts";
import { guestScript } from "../machine/guest-shell.ts";

/** A guest may print without end. */
const maxLogBytes = 64 * 1024 * 1024;
/** A guest that does not say that a command has ended is not waited for. */
const endLimitMs = 10_000;

/** Runs a shell command in a machine as `startContained` does here; the machine is what holds it. */
export function startInGuest(
  files: Files,
  guest: GuestChannel,
  { command, options }: { readonly command: string; readonly options: ContainedOptions },
): ContainedProcess {
  const { cwd, env, logPath, stdin, marker, timeoutMs } = options;
  const running = guest.run({
    argv: ["sh", "-c", command],
    cwd,
    env: { ...textsOf(env), KEYFRAME_CONTAINED: marker },
  });
  keepOutput(files, logPath, running);
  running.stdin.on("error", () => undefined); // a command that does not read its input closes it
  running.stdin.end(stdin);
  const end = endOf(running, timeoutMs);
  return {
    pid: -1,
    containment: "namespace",
    countProcesses: () => countMarked(guest, marker),
    // what the command left running ends with it
    ended: end.ended.then(async (result) => {
      await endMarked(guest, marker).catch(() => undefined); // the guest is gone
      return result;
    }),
    kill: end.kill,
  };
}

function textsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function keepOutput(files: Files, logPath: string, { stdout, stderr }: GuestCommand): void {
  let left = maxLogBytes;
  const keep = (piece: Buffer) => {
    if (left <= 0) return;
    files.append(logPath, piece.subarray(0, left), { mode: 0o600 });
    left -= piece.length;
    if (left <= 0)
      files.append(logPath, Buffer.from(`\n[what follows ${maxLogBytes} bytes of output is not kept]\n`));
  };
  stdout.on("data", keep);
  stderr.on("data", keep);
}

function endOf(
  command: GuestCommand,
  timeoutMs: number | undefined,
): { readonly ended: Promise<ContainedResult>; readonly kill: () => void } {
  let timedOut = false;
  let giveUp: (result: ContainedResult) => void = () => undefined;
  const timers: NodeJS.Timeout[] = [];
  const kill = () => {
    command.cancel();
    timers.push(setTimeout(() => giveUp({ code: 137, timedOut }), endLimitMs));
  };
  if (timeoutMs !== undefined) {
    const expire = () => {
      timedOut = true;
      kill();
    };
    timers.push(setTimeout(expire, timeoutMs));
  }
  const ended = new Promise<ContainedResult>((resolve) => {
    giveUp = resolve;
    command.exited.then(
      (exit) => resolve({ code: exitCodeFor(exit), timedOut }),
      () => resolve({ code: timedOut ? 137 : -1, timedOut }),
    );
  }).finally(() => {
    for (const timer of timers) clearTimeout(timer);
  });
  return { ended, kill };
}

/** Whatever left its parents has the mark in its environment still; a grep that does not know `-z` is asked without. */
function marked(marker: string, then: string): string {
  const mark = shellQuote(`KEYFRAME_CONTAINED=${marker}`);
  return [
    `found=$(grep -lzxF ${mark} /proc/[0-9]*/environ 2>/dev/null) || [ $? -ne 2 ] || [ -n "$found" ] ||`,
    `  found=$(grep -lF ${mark} /proc/[0-9]*/environ 2>/dev/null) || true`,
    `for each in $found; do each=\${each%/environ}; each=\${each#/proc/}`,
    `  ${then}`,
    "done",
  ].join("\n");
}

async function countMarked(guest: GuestChannel, marker: string): Promise<number> {
  const lines = await guestScript(guest, marked(marker, "echo 1"), { to: "count processes" });
  return lines.split("\n").filter(Boolean).length;
}

async function endMarked(guest: GuestChannel, marker: string): Promise<void> {
  const script = marked(marker, 'kill -9 "$each" 2>/dev/null || true');
  await guestScript(guest, script, { to: "end what a command left" });
}
