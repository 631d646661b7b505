import { type SettleOptions, type SettleOutcome, settle } from "../authorship/settle/settle.ts";
import { readCaptureSettings } from "../checkpoints/capture/settings.ts";
import { type FinishedCheckpoint, finishCommits } from "../checkpoints/commit/finish-commit.ts";
import { prepareLateLinks } from "../checkpoints/commit/late-links.ts";
import { storeTurns } from "../checkpoints/turn/store-turn.ts";
import type { Git } from "../git/git.ts";
import type { Machine } from "../system/machine/machine.ts";

/**
 * What commits leave to do: owners of their lines become notes, and the checkpoints that they name are stored.
 * Idempotent: what a killed hook left is done by the next caller, with the same result. For git's hooks. `linked`: what
 * HEAD's commit was linked to just now.
 * @throws KeyframeError `lock-busy` while another process settles
 */
export async function settleCommits(
  git: Git,
  machine: Machine,
  options: SettleOptions = {},
): Promise<SettleOutcome & { readonly linked: readonly FinishedCheckpoint[] }> {
  const outcome = await machine.trace.span("settle", () =>
    settle(git, machine, { searches: false, ...options, beforeRelease: linkLate(git, machine) }),
  );
  if (git.repository.workTree === undefined) return { ...outcome, linked: [] };
  // after settling: lines find their owners even where the settings are damaged
  const linked = await machine.trace.span("checkpoints", () => finishCommits(git, depsOf(git, machine)));
  return { ...outcome, linked };
}

/**
 * The same, and what turns still lack that ended before their last words were written. For commands and `doctor`: behind
 * a commit it would read transcripts that the commit has nothing to do with.
 */
export function settleEverything(git: Git, machine: Machine): Promise<SettleOutcome> {
  return machine.trace.span("settle", async () => {
    const outcome = await settle(git, machine, { beforeRelease: linkLate(git, machine) });
    if (git.repository.workTree === undefined) return outcome;
    const deps = depsOf(git, machine);
    await finishCommits(git, deps);
    await storeTurns(git, deps);
    return outcome;
  });
}

/** Conversations of commits that no hook saw are prepared while the journal still has their work. */
function linkLate(git: Git, machine: Machine): NonNullable<SettleOptions["beforeRelease"]> {
  return (commits) => prepareLateLinks(git, depsOf(git, machine), commits);
}

/** @throws KeyframeError where the repository's settings are damaged */
function depsOf({ repository }: Git, machine: Machine) {
  return { ...machine, ...readCaptureSettings(repository, machine) };
}
