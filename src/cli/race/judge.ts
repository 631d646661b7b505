import { KeyframeError } from "../../base/errors.ts";
import { startContained } from "../../system/process/contained-process.ts";
import { judgeRace } from "../../workflows/race/judge-race.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { printable } from "../output/terminal.ts";
import { lanesOf, mustFindRace } from "./find-race.ts";
import type { JudgeFlags } from "./race-command.ts";

/** `keyframe race judge <command>` */
export async function judge(this: CliContext, flags: JudgeFlags, command: string): Promise<void> {
  const git = openRepositoryGit(this);
  const race = mustFindRace(git, this.files, flags.race);
  const lanes = lanesOf(git, this.files, race);
  if (!lanes.some(({ commit }) => commit !== undefined))
    throw new KeyframeError("refused", `no lane of race ${race.id} changed anything`, {
      hint: "see `keyframe race show`",
    });
  const judgement = await judgeRace(git, { ...this, startContained }, { race, lanes, command });
  if (flags.json) {
    this.terminal.json({ race: race.id, ...judgement });
    return;
  }
  for (const line of judgement.answer.trimEnd().split("\n")) this.terminal.out(printable(line));
  const names = Object.entries(judgement.lanes).map(([letter, name]) => `${letter} is ${printable(name)}`);
  this.terminal.note(`\n${names.join(", ")}`);
}
