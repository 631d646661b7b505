import type { SessionAdvance, SessionEvent } from "../../checkpoints/sessions/events.ts";
import { onTurnEvent } from "../../checkpoints/turn/on-turn-event.ts";
import { openGit } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { hookDeps } from "./hook-deps.ts";

/** What an agent's hook does beside recording, where a turn or a session ends or a session begins. */
export async function sessionInHook(
  repository: Repository,
  machine: Machine,
  request: { readonly event: SessionEvent; readonly wants: Exclude<SessionAdvance["wants"], undefined> },
): Promise<void> {
  const deps = hookDeps(repository, machine);
  await deps.trace.span("capture", () => onTurnEvent(openGit(repository, deps.processes), deps, request));
}
