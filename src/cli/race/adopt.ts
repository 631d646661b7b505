import { KeyframeError } from "../../base/errors.ts";
import { applyAdoption, undoAdoption } from "../../race/adopt/adopt.ts";
import { type AdoptionPlan, planAdoption } from "../../race/adopt/plan-adoption.ts";
import { hasEnded } from "../../race/race-record.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { mustFindLane, mustFindRace } from "./find-race.ts";
import type { AdoptFlags } from "./race-command.ts";

/** `keyframe race adopt <lane>` */
export async function adoptLane(this: CliContext, flags: AdoptFlags, name?: string): Promise<void> {
  const git = openRepositoryGit(this);
  const race = mustFindRace(git, this.files, flags.race);
  if (flags.undo) {
    if (name !== undefined || flags.as !== undefined || flags.only !== undefined || flags.dryRun)
      throw new KeyframeError("usage", "--undo can only be combined with --race and --json");
    const { lane, before, branch } = await undoAdoption(git, this, race);
    if (flags.json) this.terminal.json({ undone: lane, branch, commit: before });
    else
      this.terminal.out(
        `took lane ${lane} back: ${branch.replace(/^refs\/heads\//, "")} is at ${before.slice(0, 12)} again`,
      );
    return;
  }
  if (name === undefined) {
    const names = race.lanes.map((lane) => lane.name).join(", ");
    throw new KeyframeError("usage", "name the lane to adopt", {
      hint: `the lanes of race ${race.id}: ${names}`,
    });
  }
  const lane = mustFindLane(git, this.files, { race, name });
  if (!hasEnded(lane))
    throw new KeyframeError("refused", `lane ${name} has not ended`, {
      hint: "wait for it, or stop the race",
    });
  const plan = await planAdoption(git, { race, lane, as: flags.as ?? "commits", only: flags.only ?? [] });
  if (!flags.dryRun) await applyAdoption(git, this, { race, lane: name, plan });
  print(this, plan, { flags, name });
}

function print(
  { terminal }: CliContext,
  { branch, before, after, commits, isFastForward }: AdoptionPlan,
  { flags, name }: { readonly flags: AdoptFlags; readonly name: string },
): void {
  if (flags.json) {
    terminal.json({
      applied: flags.dryRun !== true,
      lane: name,
      branch,
      before,
      after,
      isFastForward,
      commits,
    });
    return;
  }
  const how = isFastForward ? "fast-forward" : `${new Set(commits.map(({ to }) => to)).size} new commits`;
  const short = branch.replace(/^refs\/heads\//, "");
  terminal.out(
    `${flags.dryRun ? "would move" : "moved"} ${short} from ${before.slice(0, 12)} to ${after.slice(0, 12)} (${how})`,
  );
  if (!flags.dryRun) terminal.out("Take it back: keyframe race adopt --undo");
}
