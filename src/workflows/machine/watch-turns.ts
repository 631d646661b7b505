import { shellQuote } from "../../base/text/shell-words.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { guestEnvironment } from "./guest-shell.ts";

/** Names the process that watches. */
const watcherMark = "/tmp/.keyframe-watcher";

/**
 * Prints a line whenever a directory is newer than before. What waits is a builtin of the shell, so that an idle machine starts
 * no processes. In a copy of the machine nobody listens to the watcher that was copied with it: it ends when another begins.
 */
export function watchScript(directory: string, mark: string): string {
  return [
    `turns=${shellQuote(directory)}; mark=${shellQuote(mark)}`,
    'stamp=$(mktemp); wait=$(mktemp -u); mkfifo "$wait"; exec 3<>"$wait"; rm "$wait"',
    'touch -d @0 "$stamp"; echo $$ > "$mark"',
    'while read -r now < "$mark" && [ "$now" = $$ ]; do',
    '  if [ "$turns" -nt "$stamp" ]; then touch -r "$turns" "$stamp"; echo turn; fi',
    "  read -t 0.2 -u 3 || true",
    "done",
  ].join("\n");
}

/**
 * Calls `onTurn` whenever hooks in the machine have recorded the end of a turn: its snapshot moves a ref, and the
 * directory of refs is newer then. One call after the other; several ends that come meanwhile are one.
 */
export function watchTurns(
  guest: GuestChannel,
  directory: string,
  onTurn: () => Promise<void>,
): { stop(): Promise<void> } {
  const script = watchScript(`${directory}/.git/refs/keyframe/turns`, watcherMark);
  const command = guest.run({ argv: ["bash", "-c", script], env: guestEnvironment });
  command.stdin.end();
  command.stderr.resume();
  let working: Promise<void> | undefined;
  let again = false;
  const work = async () => {
    do {
      again = false;
      await onTurn();
    } while (again);
    working = undefined;
  };
  command.stdout.on("data", () => {
    if (working !== undefined) again = true;
    else working = work();
  });
  command.exited.catch(() => undefined); // the machine is gone: whoever runs the agent hears it
  return {
    async stop() {
      command.cancel();
      await working;
    },
  };
}
