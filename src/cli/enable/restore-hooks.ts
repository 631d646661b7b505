import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { readHookSituations } from "../../git/hooks/hook-situation.ts";
import { type HookProgram, watchHooks } from "../../git/hooks/hook-watch.ts";
import { planHook } from "../../git/hooks/plan.ts";
import { applyFileChanges } from "../../system/files/file-changes.ts";
import type { Files } from "../../system/files/files.ts";
import { readInstalled, recordInstalled, writeInstalled } from "../setup/installed.ts";
import { hookActionOf, ignoredPaths } from "./situation.ts";

/**
 * Puts Keyframe back into git's hooks where another tool wrote over them.
 * @throws KeyframeError `refused` where hooks now lie in a directory that git would show as new: nobody asked for files there
 */
export async function restoreHooks(git: Git, files: Files, program: HookProgram): Promise<void> {
  const { repository } = git;
  const situations = await readHookSituations(git, files);
  const inWorkTree = situations.flatMap(({ workTreePath }) => workTreePath ?? []);
  const ignored = await ignoredPaths(git, inWorkTree);
  const mayWrite = ({ workTreePath }: (typeof situations)[number]) =>
    workTreePath === undefined || ignored.has(workTreePath);
  const action = hookActionOf(program);
  const changes = situations.filter(mayWrite).flatMap((situation) => planHook(situation, action).changes);
  if (changes.length > 0) {
    // as with `enable`, the record of what was there comes first
    writeInstalled(repository, files, recordInstalled(readInstalled(repository, files), changes));
    applyFileChanges(changes, files);
  }
  watchHooks(repository, files, { program, paths: situations.map(({ path }) => path) });
  const left = situations.find((situation) => !mayWrite(situation));
  if (left === undefined) return;
  throw new KeyframeError(
    "refused",
    `git now looks for its hooks beside ${left.path}, where Keyframe has none`,
    {
      hint: "run `keyframe enable`",
    },
  );
}
