import { endSession } from "../../checkpoints/sessions/stuck-sessions.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import { mustFindSession } from "./find.ts";
import type { SessionFlags } from "./session-command.ts";

/** `keyframe session stop` */
export function stopSession(this: CliContext, { json }: SessionFlags, text: string): void {
  const { repository, id } = mustFindSession(this, text);
  endSession(this, { repository, id });
  if (json) this.terminal.json({ id, phase: "ended" });
  else
    this.terminal.out(
      `Session ${printable(id)} has ended; work of it that is not committed stays linked to it.`,
    );
}
