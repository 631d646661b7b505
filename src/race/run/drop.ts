import type { Git } from "../../git/git.ts";
import { resolveRevision, updateRefs } from "../../git/refs/refs.ts";
import type { ForkDeps } from "../../timeline/fork/fork.ts";
import { dropLanes } from "../lanes/lane-worktree.ts";
import { laneMarker, type RaceRecord, raceDirectory, raceRef, readLane } from "../race-record.ts";

export interface DropDeps extends ForkDeps {
  /** Removes a directory that has been renamed out of the way; may go on behind the command. */
  readonly removeLater: (directory: string) => void;
  /** Ends what a race that was cut off started under a marker. */
  readonly endContained: (marker: string) => void;
  /** Removes the machines of a race; `all`: with what came out of them beside commits. */
  readonly removeMachines: (race: RaceRecord, all: boolean) => Promise<void>;
}

/** Removes the worktrees and machines of a race; commits, notes, conversations and results of the lanes stay. */
export async function dropWorktrees(git: Git, deps: DropDeps, race: RaceRecord): Promise<void> {
  for (const name of ["base", ...race.lanes.map((lane) => lane.name)])
    deps.endContained(laneMarker(race.id, name));
  await dropLanes(git, deps, { race, later: deps.removeLater });
  if (race.machines !== undefined) await deps.removeMachines(race, false);
}

/** Removes a race with everything that it made: worktrees, refs, logs and results. */
export async function dropRace(git: Git, deps: DropDeps, race: RaceRecord): Promise<void> {
  await dropWorktrees(git, deps, race);
  if (race.machines !== undefined) await deps.removeMachines(race, true);
  const names = ["base", ...race.lanes.map((lane) => lane.name)];
  for (const name of names) {
    const ref = raceRef(race.id, name);
    const expected = await resolveRevision(git, ref);
    if (expected !== undefined)
      await updateRefs(git, [{ ref, next: undefined, expected }], "keyframe: drop a race");
  }
  deps.files.removeTree(raceDirectory(git.repository, race.id));
}

/** Lanes whose work no ref but the race's own holds. */
export async function listLanesWithWork(git: Git, deps: ForkDeps, race: RaceRecord): Promise<string[]> {
  const found: string[] = [];
  for (const { name } of race.lanes) {
    const { commit } = readLane(git.repository, deps.files, { id: race.id, name });
    if (commit === undefined) continue;
    const args = [
      "rev-list",
      "--count",
      "--max-count=1",
      commit,
      "--not",
      "--branches",
      "--remotes",
      "--tags",
    ];
    if ((await git.text(args)) !== "0") found.push(name);
  }
  return found;
}
