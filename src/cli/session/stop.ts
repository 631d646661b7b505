import { applyActions } from "../../checkpoints/session-events.ts";
import { markSession, updateSessionState } from "../../checkpoints/session-folder.ts";
import { nextPhase } from "../../checkpoints/session-phase.ts";
import { phaseOf } from "../../checkpoints/session-state.ts";
import type { CliContext } from "../context.ts";
import { printable } from "../terminal.ts";
import type { SessionFlags } from "./command.ts";
import { mustFindSession } from "./find.ts";

/** `keyframe session stop` */
export function stopSession(this: CliContext, { json }: SessionFlags, text: string): void {
  const { repository, id } = mustFindSession(this, text);
  updateSessionState(this, { repository, id }, (state) => {
    if (state === undefined) return undefined;
    const { phase, actions } = nextPhase(phaseOf(state), "session-stop");
    state.set("phase", phase);
    applyActions(state, actions, this.clock.nowMs());
    return state;
  });
  markSession(this, { repository, id, mark: "at-work" }, false);
  if (json) this.terminal.json({ id, phase: "ended" });
  else
    this.terminal.out(
      `Session ${printable(id)} has ended; work of it that is not committed stays linked to it.`,
    );
}
