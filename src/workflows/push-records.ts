import { findUnpushed } from "../checkpoints/remote/find-unpushed.ts";
import { followIfElected } from "../checkpoints/remote/follow-tracking.ts";
import {
  type PushContext,
  type PushReport,
  pushCheckpoints,
} from "../checkpoints/remote/push-checkpoints.ts";
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
  return unpushed.size === 0 ? nothingPushed : pushCheckpoints(context, remote, unpushed);
}

const nothingPushed: PushReport = { pushed: [], joined: [], problems: [] };
