import type { Git } from "../../git/git.ts";
import { listRaces, type RaceRecord } from "../race-record.ts";
import { type DropDeps, dropRace } from "./drop.ts";
import { holderOfRace } from "./run-race.ts";

/** Races that began long enough ago and that no process runs. */
export function listOldRaces(
  git: Git,
  deps: Pick<DropDeps, "files" | "clock" | "processTable">,
  olderThanMs: number,
): RaceRecord[] {
  const before = deps.clock.nowMs() - olderThanMs;
  return listRaces(git.repository, deps.files).filter(
    (race) => Date.parse(race.at) < before && holderOfRace(git, deps, race) === undefined,
  );
}

/** Removes them with everything that only they hold; one that was begun again meanwhile stays. Returns what was removed. */
export async function dropOldRaces(
  git: Git,
  deps: DropDeps,
  races: readonly RaceRecord[],
): Promise<RaceRecord[]> {
  const removed: RaceRecord[] = [];
  for (const race of races) {
    if (holderOfRace(git, deps, race) !== undefined) continue;
    await dropRace(git, deps, race);
    removed.push(race);
  }
  return removed;
}
