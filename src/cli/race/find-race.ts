import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { type LaneStatus, listRaces, type RaceRecord, readLane } from "../../race/race-record.ts";
import type { Files } from "../../system/files/files.ts";

/** The race that an id, or its beginning, names; the newest without one. @throws KeyframeError `not-found`, `usage` */
export function mustFindRace(git: Git, files: Files, id: string | undefined): RaceRecord {
  const races = listRaces(git.repository, files);
  const found = id === undefined ? races.slice(0, 1) : races.filter((race) => race.id.startsWith(id));
  const [race, second] = found;
  if (race === undefined) {
    throw new KeyframeError(
      "not-found",
      id === undefined ? "no race was started here" : `no race named "${id.slice(0, 40)}"`,
      {
        hint: id === undefined ? "see `keyframe race start --help`" : "see `keyframe race list`",
      },
    );
  }
  if (second !== undefined) {
    throw new KeyframeError("usage", `ambiguous race "${id}": matches ${found.length}`, {
      hint: "use more digits",
    });
  }
  return race;
}

/** @throws KeyframeError `not-found` */
export function mustFindLane(
  git: Git,
  files: Files,
  { race, name }: { readonly race: RaceRecord; readonly name: string },
): LaneStatus {
  if (name !== "base" && !race.lanes.some((lane) => lane.name === name)) {
    throw new KeyframeError("not-found", `race ${race.id} has no lane "${name.slice(0, 40)}"`, {
      hint: `its lanes: ${race.lanes.map((lane) => lane.name).join(", ")}`,
    });
  }
  return readLane(git.repository, files, { id: race.id, name });
}

export function lanesOf(git: Git, files: Files, { id, lanes }: RaceRecord): LaneStatus[] {
  return lanes.map(({ name }) => readLane(git.repository, files, { id, name }));
}
