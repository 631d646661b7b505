import { remoteFailure, runOverNetwork } from "../../../git/remote/network.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import type { SyncContext } from "./fetch-tips.ts";

/**
 * True if the remote has a branch that is not one of ours. On an empty one ours would come first, and hosts make the
 * first branch the default.
 */
export async function hasUserBranches(context: SyncContext, remote: Remote): Promise<boolean> {
  const result = await runOverNetwork(context.git, remote, ["ls-remote", "--heads", "--", remote.pushUrl]);
  if (result.code !== 0) throw remoteFailure(remote, "cannot list its branches", result.stderr);
  return result.stdout
    .split("\n")
    .some((line) => line.includes("\trefs/heads/") && !line.includes("\trefs/heads/entire/"));
}
