import type { Git } from "../../git/git.ts";
import { resolveRevision, updateRefs } from "../../git/refs/refs.ts";
import { findElectedRemote, type Remote } from "../../git/remote/remote.ts";
import { v1Branch } from "../stores/layout-refs.ts";

/** `followTracking`, if this remote is the one that checkpoints belong to. */
export async function followIfElected(git: Git, remote: Remote): Promise<void> {
  if ((await findElectedRemote(git))?.key === remote.key) await followTracking(git, remote);
}

/**
 * Moves the local branch forward to what an ordinary `git fetch` brought, if that contains it: after a push that joined
 * ours with the work of others, the two are one again. Never a step to the side, and only for the elected remote.
 */
export async function followTracking(git: Git, remote: Remote): Promise<boolean> {
  const tracking = `refs/remotes/${remote.name}/entire/checkpoints/v1`;
  const [ours, theirs] = [await resolveRevision(git, v1Branch), await resolveRevision(git, tracking)];
  if (ours === undefined || theirs === undefined || ours === theirs) return false;
  const contained = await git.run(["merge-base", "--is-ancestor", ours, theirs], { okCodes: [0, 1] });
  if (contained.code !== 0) return false;
  return updateRefs(git, [{ ref: v1Branch, expected: ours, next: theirs }], "keyframe: follow the remote");
}
