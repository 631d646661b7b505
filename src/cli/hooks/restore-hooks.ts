import { openGit } from "../../git/git.ts";
import type { HookProgram } from "../../git/hooks/hook-watch.ts";
import type { Repository } from "../../git/repository.ts";
import { nodeMachine } from "../../system/machine/machine.ts";
import { restoreHooks } from "../enable/restore-hooks.ts";

/** What an agent's hook does at the start of a turn where git's hooks are not as they were left. */
export async function hooksInHook(repository: Repository, program: HookProgram): Promise<void> {
  const { processes, files } = nodeMachine;
  await restoreHooks(openGit(repository, processes), files, program);
}
