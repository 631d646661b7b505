import type { Git } from "../../git/git.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import type { CaptureRecord } from "../capture/record.ts";
import { captureTranscript, type StoringDeps } from "../capture/transcript.ts";
import { listMarked, markSession, readSessionState, updateSessionState } from "../sessions/directory.ts";
import { listOfState, phaseOf, textOfState } from "../sessions/state.ts";
import { completeCheckpoints } from "./complete-checkpoints.ts";

/**
 * Gives a turn's checkpoints the whole conversation. At a turn's end the agent may not have written its last words
 * yet: as long as they are missing, the checkpoints stay on the list, and the next event or command stores them again
 * with what has come. `isOver`: a new turn begins, so nothing more can come.
 */
export async function storeTurn(
  git: Git,
  deps: StoringDeps,
  { record, isOver }: { readonly record: CaptureRecord; readonly isOver: boolean },
): Promise<void> {
  const { repository } = git;
  const { id } = record.agent;
  const state = readSessionState(deps, repository, id);
  const ids = state === undefined ? [] : listOfState(state, "turn_checkpoint_ids");
  if (ids.length === 0) return;
  const { done, problems } = await completeCheckpoints(git, deps, { record, ids });
  const settled = new Set<string>(isOver || !record.facts.open ? done : []);
  const next = updateSessionState(deps, { repository, id }, (current) => {
    if (current === undefined) return undefined;
    const left = listOfState(current, "turn_checkpoint_ids").filter((other) => !settled.has(other));
    current.set("turn_checkpoint_ids", left);
    if (left.length === 0 && !isOver && listOfState(current, "files_touched").length === 0)
      current.set("checkpoint_transcript_start", record.facts.lines);
    return current;
  });
  const isUnfinished = next !== undefined && listOfState(next, "turn_checkpoint_ids").length > 0;
  markSession(deps, { repository, id, mark: "unfinished" }, isUnfinished);
  if (problems.length > 0) throw problems[0];
}

/** The same for every session of the worktree whose last words were missing and that is not at work. */
export async function storeTurns(git: Git, deps: StoringDeps): Promise<void> {
  const { repository } = git;
  for (const id of listMarked(deps, repository, "unfinished")) {
    const state = readSessionState(deps, repository, id);
    const transcriptPath = state && textOfState(state, "transcript_path");
    if (state === undefined || transcriptPath === undefined) {
      markSession(deps, { repository, id, mark: "unfinished" }, false);
      continue;
    }
    if (phaseOf(state) === "active") continue;
    const agent = { tool: toolNameOf(textOfState(state, "agent_type") ?? ""), id, model: "unknown" };
    const record = await captureTranscript(deps, repository, { agent, transcriptPath });
    if (record !== undefined) await storeTurn(git, deps, { record, isOver: false });
  }
}
