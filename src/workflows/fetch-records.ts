import { errorText } from "../base/errors.ts";
import { indexCheckpoints } from "../checkpoints/query/search/search.ts";
import { openSearchIndex, searchFolder } from "../checkpoints/query/search/search-index.ts";
import type { CheckpointId } from "../checkpoints/record/ids.ts";
import { type FetchReport, fetchCheckpoints } from "../checkpoints/remote/fetch/fetch-checkpoints.ts";
import { withFetched } from "../checkpoints/remote/fetch/fetched-stores.ts";
import { followIfElected } from "../checkpoints/remote/follow-tracking.ts";
import { forgetFetched, hasFetchedRemoved } from "../checkpoints/remote/forget-fetched.ts";
import { fetchAndMergeNotes, type NotesReport } from "../checkpoints/remote/join/merge-notes.ts";
import type { PushContext } from "../checkpoints/remote/push/push-checkpoints.ts";
import { openCheckpointStores } from "../checkpoints/stores/open-stores.ts";
import { borrowFetched } from "../git/fetched-objects.ts";
import type { Remote } from "../git/remote/remote.ts";

/**
 * Fetches what listing needs, the files of `whole` checkpoints, and notes, which are merged with those that are here. What
 * is here then is indexed, so that no search has to wait for that. What somebody took out of a checkpoint does not stay
 * among what was fetched.
 */
export async function fetchRecords(
  context: PushContext,
  remote: Remote,
  whole: readonly CheckpointId[] = [],
): Promise<FetchReport & { readonly notes: NotesReport }> {
  const { trace, nowSeconds } = context;
  const fetch = () => trace.span("checkpoints", () => fetchCheckpoints(context, remote, { whole }));
  let report = await fetch();
  if (await hasFetchedRemoved(context.git, context.files)) {
    forgetFetched(context.git, context.files);
    report = await fetch();
  }
  const notes = await trace.span("notes", () => fetchAndMergeNotes(context, remote, nowSeconds));
  await followIfElected(context.git, remote);
  await trace.span("index", () => indexFetched(context));
  return { ...report, notes };
}

async function indexFetched(context: PushContext): Promise<void> {
  const { git, files } = context;
  const stores = withFetched(openCheckpointStores(git), git, files);
  const index = openSearchIndex(files, searchFolder(git.repository.commonDir));
  try {
    await indexCheckpoints(borrowFetched(git, files), stores, {
      index,
      onProgress: (done, total) => context.onProgress?.({ phase: "Indexing conversations", done, total }),
    });
  } catch (error) {
    context.note(`what was fetched is indexed at the next search: ${errorText(error)}`);
  }
}
