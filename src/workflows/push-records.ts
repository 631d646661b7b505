import { errorText } from "../base/errors.ts";
import { shellQuote } from "../base/text/shell-words.ts";
import { followIfElected } from "../checkpoints/remote/follow-tracking.ts";
import { findUnpushed } from "../checkpoints/remote/push/find-unpushed.ts";
import {
  type PushContext,
  type PushReport,
  pushCheckpoints,
} from "../checkpoints/remote/push/push-checkpoints.ts";
import type { Oid } from "../git/ids.ts";
import type { Remote } from "../git/remote/remote.ts";

/** Pushes what the remote lacks of notes and checkpoints. `leaveOut` decides late what stays here this time. */
export async function pushRecords(
  context: PushContext,
  remote: Remote,
  leaveOut: (unpushed: ReadonlyMap<string, Oid>) => Promise<readonly string[]> = async () => [],
): Promise<PushReport> {
  await followIfElected(context.git, remote);
  const unpushed = new Map(await findUnpushed(context, remote));
  for (const ref of await leaveOut(unpushed)) unpushed.delete(ref);
  if (unpushed.size === 0) return nothingPushed;
  const report = await pushCheckpoints(context, remote, unpushed);
  for (const url of remote.furtherPushUrls) {
    const shown = errorText(url);
    context.note(
      `notes and checkpoints went to the first push URL of ${remote.name}; \`keyframe push ${shellQuote(shown)}\` brings them to ${shown}`,
    );
  }
  return report;
}

const nothingPushed: PushReport = { pushed: [], joined: [], problems: [] };
