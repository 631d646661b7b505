import { resumeCommandOf } from "../../agents/conversations/conversation-place.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { showLaneFiles } from "../../race/lanes/lane-worktree.ts";
import { hasEnded, type LaneStatus, laneLogPath, type RaceRecord } from "../../race/race-record.ts";
import { nodeCopyTree } from "../../system/files/copy-tree.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { exactOutput } from "../output/terminal.ts";
import { mustFindLane, mustFindRace } from "./find-race.ts";
import type { DiffFlags, OpenFlags } from "./race-command.ts";

/** `keyframe race diff <lane> [<lane>]` */
export async function diffLanes(
  this: CliContext,
  flags: DiffFlags,
  name: string,
  other?: string,
): Promise<void> {
  const git = openRepositoryGit(this);
  const race = mustFindRace(git, this.files, flags.race);
  const commit = commitOf(race, mustFindLane(git, this.files, { race, name }));
  const against =
    other === undefined
      ? race.base.commit
      : commitOf(race, mustFindLane(git, this.files, { race, name: other }));
  const [from, to] = other === undefined ? [against, commit] : [commit, against];
  const colour = this.terminal.isInteractive ? "--color=always" : "--color=never";
  const { stdout } = await git.run(["diff", "--no-ext-diff", colour, from, to, "--"]);
  this.process.stdout.write(exactOutput(this.terminal, stdout));
}

function commitOf({ id, base }: RaceRecord, { name, commit }: LaneStatus): string {
  if (name === "base") return base.commit;
  if (commit !== undefined) return commit;
  throw new KeyframeError("not-found", `lane ${name} of race ${id} has no commit`, {
    hint: "it changed nothing, or has not ended",
  });
}

/** Where the lane's files can be seen. While it runs with overlays, only through a process that sees them. */
async function findFiles(
  context: CliContext,
  git: Git,
  { race, lane }: { readonly race: RaceRecord; readonly lane: LaneStatus },
): Promise<string | undefined> {
  const { path } = lane;
  if (path === undefined || context.files.statIfExists(path) === undefined) return undefined;
  if (hasEnded(lane)) await showLaneFiles(git, { ...context, copyTree: nodeCopyTree }, { race, lane });
  else if (lane.filesBy === "overlay" && lane.process !== undefined)
    return `/proc/${lane.process.pid}/root${path}`;
  return path;
}

/** `keyframe race open <lane>`: the worktree on standard output, the rest beside it. */
export async function openLane(this: CliContext, flags: OpenFlags, name: string): Promise<void> {
  const git = openRepositoryGit(this);
  const race = mustFindRace(git, this.files, flags.race);
  const lane = mustFindLane(git, this.files, { race, name });
  const { sessions = [], commit } = lane;
  const there = await findFiles(this, git, { race, lane });
  const log = laneLogPath(git.repository, race.id, name);
  const commands = sessions.flatMap(({ tool, id }) => resumeCommandOf(tool, id) ?? []);
  if (flags.json) {
    this.terminal.json({ path: there ?? null, commit: commit ?? null, log, continueWith: commands });
    return;
  }
  if (there === undefined) {
    throw new KeyframeError("not-found", `lane ${name} has no worktree any more`, {
      hint:
        commit === undefined
          ? `its log: ${log}`
          : `its commit is ${commit.slice(0, 12)}: git worktree add <path> ${commit.slice(0, 12)}`,
    });
  }
  this.terminal.out(there);
  this.terminal.note(`log: ${log}`);
  for (const command of commands) this.terminal.note(`continue with: ${command}`);
}
