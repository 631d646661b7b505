import { errorText } from "../base/errors.ts";
import { findUnpushed } from "../checkpoints/remote/find-unpushed.ts";
import type { PushContext } from "../checkpoints/remote/push-checkpoints.ts";
import { v1Branch } from "../checkpoints/store-refs.ts";
import { openGit } from "../git/git.ts";
import { findElectedRemote } from "../git/remote.ts";
import type { Repository } from "../git/repository.ts";
import type { Machine } from "../system/machine.ts";

/** A remote that says nothing for so long keeps the user's own push waiting no longer. */
const idleTimeoutMs = 15_000;

/**
 * What the `pre-push` hook does: the same as `keyframe push`, for the one remote that checkpoints belong to. Answers
 * what went wrong; the user's push goes on whatever it is.
 */
export async function pushInHook(
  repository: Repository,
  { clock, files, processes, processTable, trace }: Machine,
  remoteName: string,
): Promise<readonly string[]> {
  const git = openGit(repository, processes);
  const remote = await findElectedRemote(git);
  // transcripts never go to a fork or a stranger because somebody pushes a branch there
  if (remote === undefined || remote.name !== remoteName) return [];
  const say = (text: string) => void process.stderr.write(`keyframe: ${text}\n`);
  const context: PushContext = {
    git,
    files,
    processTable,
    trace,
    note: say,
    nowSeconds: Math.floor(clock.nowMs() / 1000),
    idleTimeoutMs,
  };
  const unpushed = await findUnpushed(context, remote);
  if (unpushed.size === 0) return [];
  // most pushes end above: the rest is loaded only where it is needed
  const [{ followTracking }, { hasUserBranches }, { pushCheckpoints }] = await Promise.all([
    import("../checkpoints/remote/follow-tracking.ts"),
    import("../checkpoints/remote/has-branches.ts"),
    import("../checkpoints/remote/push-checkpoints.ts"),
  ]);
  try {
    await followTracking(git, remote);
    const pending = await findUnpushed(context, remote);
    if (pending.has(v1Branch) && !(await hasUserBranches(context, remote))) {
      say(`${remote.name} is empty: checkpoints go there with the next push`);
      pending.delete(v1Branch);
    }
    if (pending.size === 0) return [];
    say(`pushing checkpoints and notes to ${remote.name}`);
    const { problems } = await pushCheckpoints(context, remote, pending);
    for (const problem of problems) say(problem);
    return problems;
  } catch (error) {
    say(`checkpoints were not pushed: ${errorText(error)}`);
    return [errorText(error)];
  }
}
