import type { Repository } from "../../git/repository.ts";
import { listWorktrees } from "../../git/worktree/worktrees.ts";
import type { Files } from "../../system/files/files.ts";
import type { LockDeps } from "../../system/locks/lock-file.ts";
import { maxSilenceMs } from "../record/limits.ts";
import {
  lastHeardMs,
  listMarked,
  listSessionStates,
  markSession,
  readMarkOwner,
  updateSessionState,
} from "./directory.ts";
import { applyActions } from "./events.ts";
import { nextPhase } from "./phase.ts";
import { phaseOf, type SessionState, textOfState } from "./state.ts";

/** A session whose turn never ended, or that is marked so although it did. */
export interface StuckSession {
  readonly id: string;
  readonly why: string;
  /** Id of the turn that never ended; undefined where only the mark is left. */
  readonly turn: string | undefined;
}

/**
 * Sessions that count as at work although their agent is gone, or nothing has been heard of them for a day. Reads only.
 */
export function findStuckSessions(deps: LockDeps, repository: Repository): StuckSession[] {
  const places = listWorktrees(repository, deps.files);
  const marks = new Map(
    places.flatMap((place) => listMarked(deps, place, "at-work").map((id) => [id, place] as const)),
  );
  const found: StuckSession[] = [];
  for (const { id, state } of listSessionStates(deps, repository)) {
    const place = marks.get(id);
    const isActive = state !== undefined && phaseOf(state) === "active";
    // a state that cannot be read is a problem of its own
    if (state === undefined || isActive) marks.delete(id);
    if (state === undefined || !isActive) continue;
    const turn = turnOf(state);
    const owner = place === undefined ? undefined : readMarkOwner(deps, place, id);
    if (owner !== undefined && !deps.processTable.isRunning(owner))
      found.push({ id, turn, why: `its turn never ended, and its agent (process ${owner.pid}) is gone` });
    else if (
      owner === undefined &&
      deps.clock.nowMs() - heardMs(state, deps.files, { repository, id }) > maxSilenceMs
    )
      found.push({ id, turn, why: "its turn never ended, and nothing was heard of it for a day" });
  }
  for (const id of marks.keys())
    found.push({ id, turn: undefined, why: "it is marked as at work, and its turn has ended" });
  return found;
}

function turnOf(state: SessionState): string {
  return textOfState(state, "turn_id") ?? "";
}

/** The agent writes its transcript while it works, whether or not a hook comes. */
function heardMs(
  state: SessionState,
  files: Files,
  { repository, id }: { readonly repository: Repository; readonly id: string },
): number {
  const transcript = textOfState(state, "transcript_path");
  const writtenMs = transcript === undefined ? 0 : (files.statTargetIfExists(transcript)?.mtimeMs ?? 0);
  return Math.max(lastHeardMs({ files }, repository, { id, state }), writtenMs);
}

/** Ends the turns that are still under way, as `endSession`, and takes away marks without one. */
export function endStuckSessions(deps: LockDeps, repository: Repository): void {
  for (const { id, turn } of findStuckSessions(deps, repository)) {
    if (turn !== undefined) endSession(deps, { repository, id, turn });
    else unmark(deps, repository, id);
  }
}

/**
 * Says of a session that it has ended; with `turn`, only if that one is its last still. Its work that is not committed
 * stays linked to it, and it can go on later.
 */
export function endSession(
  deps: LockDeps,
  { repository, id, turn }: { readonly repository: Repository; readonly id: string; readonly turn?: string },
): void {
  const ended = updateSessionState(deps, { repository, id }, (state) => {
    if (state === undefined || (turn !== undefined && turnOf(state) !== turn)) return undefined;
    const { phase, actions } = nextPhase(phaseOf(state), "session-stop");
    state.set("phase", phase);
    applyActions(state, actions, deps.clock.nowMs());
    return state;
  });
  if (ended !== undefined) unmark(deps, repository, id);
}

function unmark(deps: LockDeps, repository: Repository, id: string): void {
  for (const place of listWorktrees(repository, deps.files))
    markSession(deps, { repository: place, id, mark: "at-work" }, false);
}
