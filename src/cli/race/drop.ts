import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { adoptedLanes, readAdoption } from "../../race/race-record.ts";
import { type DropDeps, dropRace, dropWorktrees, listLanesWithWork } from "../../race/run/drop.ts";
import { holderOfRace } from "../../race/run/run-race.ts";
import { nodeCopyTree } from "../../system/files/copy-tree.ts";
import { endMarked } from "../../system/process/contained-process.ts";
import { dropRaceMachines, endRaceMachines } from "../../workflows/race/race-machines.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { printable } from "../output/terminal.ts";
import { sandboxContextOf } from "../sandbox/context.ts";
import { mustFindRace } from "./find-race.ts";
import type { DropFlags } from "./race-command.ts";

/** `keyframe race drop [id]` */
export async function drop(this: CliContext, flags: DropFlags, id?: string): Promise<void> {
  const git = openRepositoryGit(this);
  const race = mustFindRace(git, this.files, id);
  const deps = dropDepsOf(this, git);
  const holder = holderOfRace(git, this, race);
  if (holder !== undefined) {
    throw new KeyframeError("in-use", `race ${race.id} is run by process ${holder.pid}`, {
      hint: "stop it first (Ctrl-C where it runs)",
    });
  }
  const adopted = adoptedLanes(readAdoption(git.repository, this.files, race.id));
  const losing = flags.worktrees
    ? []
    : (await listLanesWithWork(git, deps, race)).filter((name) => !adopted.includes(name));
  if (losing.length > 0 && !flags.force && !flags.dryRun) {
    throw new KeyframeError("refused", `only race ${race.id} holds the work of ${losing.join(", ")}`, {
      hint: "--worktrees frees the disk and keeps the work; --force removes all of it",
    });
  }
  if (!flags.dryRun) await (flags.worktrees ? dropWorktrees(git, deps, race) : dropRace(git, deps, race));
  if (flags.json) {
    this.terminal.json({
      applied: flags.dryRun !== true,
      race: race.id,
      onlyWorktrees: flags.worktrees === true,
      loses: losing,
    });
    return;
  }
  const what = flags.worktrees ? `the worktrees of race ${race.id}` : `race ${race.id}`;
  this.terminal.out(`${flags.dryRun ? "would remove" : "removed"} ${what}`);
  if (flags.dryRun && losing.length > 0)
    this.terminal.note(`needs --force: only it holds the work of ${losing.join(", ")}`);
}

export function dropDepsOf(context: CliContext, git: Git): DropDeps {
  return {
    ...context,
    copyTree: nodeCopyTree,
    endContained: endMarked,
    removeLater: (directory) => context.files.removeTree(directory),
    async removeMachines(race, all) {
      const say = (text: string) => context.terminal.note(printable(text));
      const deps = { ...context, sandboxContext: sandboxContextOf(context), say };
      await (all ? dropRaceMachines(git, deps, race) : endRaceMachines(git, deps, race));
    },
  };
}
