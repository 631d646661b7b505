import { markAt } from "../../checkpoints/capture/transcript.ts";
import type { ConversationPlan } from "../../checkpoints/rewind/conversation-rewind.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import type { Moment, MomentSession } from "../moment.ts";
import { runConversation } from "./machine-run.ts";

/** What is before the name of a run where a worktree's name stands otherwise. */
export const machinePlace = "machine ";

/** The run in a machine that a moment is of; undefined for those of this machine. */
export function runOfMoment({ worktree }: Moment): string | undefined {
  return worktree?.startsWith(machinePlace) === true ? worktree.slice(machinePlace.length) : undefined;
}

/** A conversation of a machine as it was at a moment, from what came out of it. */
export function planRunCut(
  repository: Repository,
  files: Files,
  {
    run,
    session: { tool, session, turn, transcript },
  }: { readonly run: string; readonly session: MomentSession },
): ConversationPlan {
  // before the first turn there was no conversation yet
  if (transcript === undefined || turn === 0) return { steps: [], problems: [] };
  const path = runConversation(repository, run, session);
  const size = files.statIfExists(path)?.sizeBytes ?? -1;
  if (size < transcript.rawBytes || markAt(files, path, transcript.rawBytes) !== transcript.mark)
    return {
      steps: [],
      problems: [`the conversation of session ${session} did not come out of its machine`],
    };
  const source = { kind: "cut", from: path, bytes: transcript.rawBytes, redacted: false } as const;
  return { steps: [{ tool, session, path, source, unchanged: false }], problems: [] };
}
