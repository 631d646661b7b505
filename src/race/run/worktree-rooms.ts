import { join } from "node:path";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import type { Git } from "../../git/git.ts";
import type { ForkDeps } from "../../timeline/fork/fork.ts";
import { listPersonalPaths } from "../../timeline/fork/personal-files.ts";
import { WrittenFiles } from "../checks/report-files.ts";
import type { StartContained } from "../checks/run-checks.ts";
import { prepareLaneFiles } from "../lanes/base-files.ts";
import { laneSessions, readLaneFacts } from "../lanes/lane-facts.ts";
import { type LanePlace, makeLane, writtenRoots } from "../lanes/lane-worktree.ts";
import { recordLaneWork } from "../lanes/record-lane-work.ts";
import { isLarger, readUse } from "../lanes/watch-lane.ts";
import { laneLogPath, laneMarker, type RaceRecord } from "../race-record.ts";
import { type Lane, type LaneRoom, type LaneRooms, laneVariables } from "./lane-room.ts";

interface RoomDeps extends ForkDeps {
  /** Ends what an earlier process started under a marker. */
  readonly endContained: (marker: string) => void;
}

/** Lanes in worktrees outside of the repository. */
export async function openWorktreeRooms(
  git: Git,
  deps: RoomDeps,
  { race, start }: { readonly race: RaceRecord; readonly start: StartContained },
): Promise<LaneRooms> {
  const files = await prepareLaneFiles(git, deps, race);
  const personal = await listPersonalPaths(git, deps.files);
  return {
    filesBy: files.by,
    async enter(lane) {
      deps.endContained(laneMarker(race.id, lane.name));
      const where = await makeLane(git, deps, { race, name: lane.name, files, personal });
      return roomOf(git, deps, { race, start, lane, where });
    },
    close: () => Promise.resolve(),
  };
}

interface PlacedLane {
  readonly race: RaceRecord;
  readonly start: StartContained;
  readonly lane: Lane;
  readonly where: LanePlace;
}

function roomOf(git: Git, deps: RoomDeps, { race, start, lane, where }: PlacedLane): LaneRoom {
  const { name } = lane;
  const { directory, view } = where;
  const temporary = join(race.directory, `${name}.tmp`);
  deps.files.makeFolder(temporary, { mode: 0o700 });
  const roots = writtenRoots(where);
  const { redactor } = readCaptureSettings(git.repository, deps);
  const written = [...(roots.length > 0 ? roots.map((root) => root.directory) : [directory]), temporary];
  return {
    path: directory,
    start,
    commands: {
      directory,
      env: { ...deps.env, ...laneVariables(race, lane), TMPDIR: temporary },
      logPath: laneLogPath(git.repository, race.id, name),
      marker: laneMarker(race.id, name),
      ...(view === undefined ? {} : { view }),
      reports: new WrittenFiles(deps.files, roots.length > 0 ? roots : [{ at: "", directory }]),
    },
    watched: {
      hasWritten: (bytes) => Promise.resolve(isLarger(deps.files, written, bytes)),
      readUse: () => readUse({ ...deps, redactor }, where.git.repository),
    },
    isSetUp: false,
    recordWork: () => recordLaneWork(where.git, { race, name }),
    readFacts: (commit) =>
      readLaneFacts(git, deps, { race, commit, sessions: laneSessions(where.git, deps.files) }),
    leave: () => Promise.resolve(),
  };
}
