import { dirname, join } from "node:path";
import { errorText } from "../../base/errors.ts";
import { cleanText } from "../../base/text/clean-text.ts";
import { findUnpushed } from "../../checkpoints/remote/push/find-unpushed.ts";
import type { PushContext } from "../../checkpoints/remote/push/push-checkpoints.ts";
import { v1Branch } from "../../checkpoints/stores/layout-refs.ts";
import { openGit } from "../../git/git.ts";
import { findElectedRemote } from "../../git/remote/remote.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { isQuietGit } from "./quiet-git.ts";

/** A remote that says nothing for so long keeps the user's own push waiting no longer. */
const idleTimeoutMs = 15_000;

/** Further checkpoints wait for the next push then. */
const budgetMs = 30_000;

/**
 * What the `pre-push` hook does: the same as `keyframe push`, for the one remote that checkpoints belong to. Answers
 * what went wrong; the user's push goes on whatever it is.
 */
export async function pushInHook(
  repository: Repository,
  { clock, files, processes, processTable, trace }: Machine,
  { remoteName, pushed }: { readonly remoteName: string; readonly pushed: string },
): Promise<readonly string[]> {
  const isQuiet = isQuietGit(processTable, "push");
  const warn = (text: string) => void process.stderr.write(`keyframe: ${cleanText(text)}\n`);
  const say = (text: string) => (isQuiet ? undefined : warn(text));
  const leaked = countPrivateRefs(pushed);
  // the push is the user's, and a hook cannot take refs out of it
  if (leaked > 0) {
    warn(
      `this push takes ${leaked} private refs of this machine along (refs/keyframe/: files and prompts of your rewind points)`,
    );
    const named = /^[\w.-]+$/.test(remoteName) ? remoteName : "<remote>";
    warn(`the same without them: git push --prune ${named} '+refs/*:refs/*' '^refs/keyframe/*'`);
  }
  const git = openGit(repository, processes);
  const remote = await findElectedRemote(git);
  // transcripts never go to a fork or a stranger because somebody pushes a branch there
  if (remote === undefined || remote.name !== remoteName) return [];
  const context: PushContext = {
    git,
    files,
    processTable,
    trace,
    clock,
    budgetMs,
    note: say,
    nowSeconds: Math.floor(clock.nowMs() / 1000),
    idleTimeoutMs,
  };
  const unpushed = await findUnpushed(context, remote);
  if (unpushed.size === 0) return [];
  // most pushes end above: the rest is loaded only where it is needed
  const [{ hasUserBranches }, { pushRecords }] = await Promise.all([
    import("../../checkpoints/remote/fetch/has-branches.ts"),
    import("../../workflows/push-records.ts"),
  ]);
  try {
    const { problems } = await pushRecords(context, remote, async (pending) => {
      const isFirst = pending.has(v1Branch) && !(await hasUserBranches(context, remote));
      if (isFirst) say(`${remote.name} is empty: checkpoints go there with the next push`);
      if (pending.size > (isFirst ? 1 : 0)) say(`pushing checkpoints and notes to ${remote.name}`);
      return isFirst ? [v1Branch] : [];
    });
    for (const problem of problems) warn(problem);
    await tellOfSquashing(context, remote.name, say);
    return problems;
  } catch (error) {
    warn(`checkpoints were not pushed: ${errorText(error)}`);
    return [errorText(error)];
  }
}

/** Said once: whoever wants it otherwise has heard of it, and `doctor` goes on saying it. */
async function tellOfSquashing(
  { git, files }: PushContext,
  remoteName: string,
  say: (text: string) => void,
): Promise<void> {
  const told = join(git.repository.commonDir, "keyframe", "told-of-squashing");
  if (files.statIfExists(told) !== undefined) return;
  const { describeSquashMerging, findSquashMerging } = await import("../../workflows/ci/squash-merging.ts");
  const found = await findSquashMerging(git, remoteName);
  if (found === undefined) return;
  const { what, repair } = describeSquashMerging(found);
  say(`${what}; ${repair}`);
  files.makeFolder(dirname(told));
  files.replaceWithoutSync(told, Buffer.alloc(0));
}

/** Lines of `<local ref> <local id> <remote ref> <remote id>`; a ref that is deleted there has a local id of zeros. */
function countPrivateRefs(pushed: string): number {
  return pushed.split("\n").filter((line) => {
    const [, oid = "", ref = ""] = line.split(" ");
    return ref.startsWith("refs/keyframe/") && !/^0*$/.test(oid);
  }).length;
}
