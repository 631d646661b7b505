import type { CheckpointId } from "../checkpoints/record/ids.ts";
import { type FetchReport, fetchCheckpoints } from "../checkpoints/remote/fetch-checkpoints.ts";
import { followIfElected } from "../checkpoints/remote/follow-tracking.ts";
import { fetchAndMergeNotes, type NotesReport } from "../checkpoints/remote/merge-notes.ts";
import type { PushContext } from "../checkpoints/remote/push-checkpoints.ts";
import type { Remote } from "../git/remote/remote.ts";

/** Fetches what listing needs, the files of `whole` checkpoints, and notes, which are merged with those that are here. */
export async function fetchRecords(
  context: PushContext,
  remote: Remote,
  whole: readonly CheckpointId[] = [],
): Promise<FetchReport & { readonly notes: NotesReport }> {
  const { trace, nowSeconds } = context;
  const report = await trace.span("checkpoints", () => fetchCheckpoints(context, remote, { whole }));
  const notes = await trace.span("notes", () => fetchAndMergeNotes(context, remote, nowSeconds));
  await followIfElected(context.git, remote);
  return { ...report, notes };
}
