import { endSession } from "../../checkpoints/stuck-sessions.ts";
import type { CliContext } from "../context.ts";
import { printable } from "../terminal.ts";
import type { SessionFlags } from "./command.ts";
import { mustFindSession } from "./find.ts";

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
