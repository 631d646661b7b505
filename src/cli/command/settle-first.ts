import { join } from "node:path";
import { type SettleOutcome, settle } from "../../authorship/settle/settle.ts";
import { errorText } from "../../base/errors.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import { listPrepared } from "../../checkpoints/commit/commit-directory.ts";
import { finishCommits } from "../../checkpoints/commit/finish-commit.ts";
import { finishTurns } from "../../checkpoints/turn/finish-turn.ts";
import { openGit } from "../../git/git.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
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
    await context.trace.span("settle", () => settleRepository(context, repository));
  } catch (error) {
    context.terminal.note(`keyframe: some commits could not be settled: ${errorText(error)}`);
  }
}

function hasRecords({ commonDir, gitDir }: Repository, { files }: CliContext): boolean {
  return [commonDir, gitDir].some((folder) => files.statIfExists(join(folder, "keyframe")) !== undefined);
}

/** Settles, and finishes the checkpoints of commits and turns whose hooks were cut off or came too early. */
export async function settleRepository(context: CliContext, repository: Repository): Promise<SettleOutcome> {
  const git = openGit(repository, context.processes, context.env);
  const outcome = await settle(git, context);
  if (repository.workTree === undefined) return outcome;
  const deps = { ...context, ...readCaptureSettings(repository, context) };
  if (listPrepared(repository, context.files).length > 0) await finishCommits(git, deps);
  await finishTurns(git, deps);
  return outcome;
}
