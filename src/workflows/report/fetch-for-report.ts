import { errorText } from "../../base/errors.ts";
import { fetchCheckpoints } from "../../checkpoints/remote/fetch/fetch-checkpoints.ts";
import { fetchAndMergeNotes } from "../../checkpoints/remote/join/merge-notes.ts";
import type { PushContext } from "../../checkpoints/remote/push/push-checkpoints.ts";
import { fetchWhole } from "../../git/remote/fetch.ts";
import type { Remote } from "../../git/remote/remote.ts";
import type { ChangeRequest } from "../ci/change-request.ts";
import { changeRef } from "../ci/pipeline.ts";

/** Refs of ours that hold what the pipeline fetched, while it runs. */
export const reportPrefix = "refs/keyframe/report/";

/**
 * Brings what a report needs into a pipeline's clone: the commits of the change, all of its history if the clone is
 * shallow, the notes, and what is recorded of conversations. What the remote does not have is told and left out.
 */
export async function fetchForReport(
  context: PushContext,
  remote: Remote,
  change: ChangeRequest,
): Promise<void> {
  const { git } = context;
  const tell = (error: unknown) => context.note(`not fetched: ${errorText(error)}`);
  const isShallow = (await git.text(["rev-parse", "--is-shallow-repository"])) === "true";
  await fetchWhole(context, remote, {
    patterns: [changeRef(change.forge, change.number)],
    prefix: reportPrefix,
    unshallow: isShallow,
  }).catch(tell);
  await fetchAndMergeNotes(context, remote, context.nowSeconds).catch(tell);
  await fetchCheckpoints(context, remote, { whole: [] }).catch(tell);
}
