import { join } from "node:path";
import type { SettleOutcome } from "../../authorship/settle/settle.ts";
import { errorText } from "../../base/errors.ts";
import { openGit } from "../../git/git.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
import { settleEverything } from "../../workflows/settle-and-finish.ts";
import type { CliContext } from "./context.ts";

/**
 * Settles commits that no hook saw, before a command shows owners: so the answer is the same as if the hook had run.
 * A failure is told and does not stop the command, which then shows what is settled.
 */
export async function settleFirst(context: CliContext): Promise<void> {
  const repository = findRepository(context.cwd, context);
  // where nothing was ever recorded there is nothing to settle, and reading leaves no trace
  if (repository === undefined || !hasRecords(repository, context)) return;
  try {
    await settleRepository(context, repository);
  } catch (error) {
    context.terminal.note(`keyframe: some commits could not be settled: ${errorText(error)}`);
  }
}

function hasRecords({ commonDir, gitDir }: Repository, { files }: CliContext): boolean {
  return [commonDir, gitDir].some((folder) => files.statIfExists(join(folder, "keyframe")) !== undefined);
}

/** What a command settles: everything that hooks left. */
export function settleRepository(context: CliContext, repository: Repository): Promise<SettleOutcome> {
  return settleEverything(openGit(repository, context.processes, context.env), context);
}
