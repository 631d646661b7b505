import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { acquireLock } from "../../system/locks/lock-file.ts";
import { readLockHolder } from "../../system/locks/take-over.ts";
import type { ProcessIdentity } from "../../system/process/process-table.ts";
import type { StartContained } from "../checks/run-checks.ts";
import { type LaneStatus, type RaceRecord, raceDirectory, readLane } from "../race-record.ts";
import type { OpenLaneRooms } from "./lane-room.ts";
import { type RaceContext, type RaceDeps, runLane } from "./run-lane.ts";

/**
 * Runs all lanes, at most `parallel` at once, and the checks one after the other. A lane that ended already is left as it
 * is, so a race that was cut off goes on. @throws KeyframeError `in-use` where another process runs it
 */
export async function runRace(
  git: Git,
  deps: RaceDeps,
  { race, openRooms }: { readonly race: RaceRecord; readonly openRooms: OpenLaneRooms },
): Promise<LaneStatus[]> {
  const release = holdRace(git, deps, race);
  try {
    const rooms = await openRooms((start) => stoppable(start, deps.signal));
    try {
      return await runLanes({ git, deps, race, checks: createQueue(), rooms });
    } finally {
      await rooms.close();
    }
  } finally {
    release();
  }
}

async function runLanes(context: RaceContext): Promise<LaneStatus[]> {
  const { git, deps, race } = context;
  if (race.checks.length > 0) await runLane(context, { name: "base", place: race.lanes.length });
  const waiting = race.lanes.map((spec, place) => ({ ...spec, place }));
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await runLane(context, next);
  };
  await Promise.all(Array.from({ length: Math.max(1, race.parallel) }, worker));
  return race.lanes.map(({ name }) => readLane(git.repository, deps.files, { id: race.id, name }));
}

function lockPath(git: Git, { id }: Pick<RaceRecord, "id">): string {
  return join(raceDirectory(git.repository, id), "lock");
}

/** The process that runs a race; undefined where none does. */
export function holderOfRace(
  git: Git,
  { files, processTable }: Pick<RaceDeps, "files" | "processTable">,
  race: Pick<RaceRecord, "id">,
): ProcessIdentity | undefined {
  const holder = readLockHolder(files, lockPath(git, race));
  return holder !== undefined && processTable.isRunning(holder) ? holder : undefined;
}

function holdRace(git: Git, deps: RaceDeps, race: RaceRecord): () => void {
  const holder = holderOfRace(git, deps, race);
  if (holder !== undefined) {
    throw new KeyframeError("in-use", `race ${race.id} is run by process ${holder.pid}`, {
      hint: `follow it: keyframe race show ${race.id} --watch`,
    });
  }
  return acquireLock(deps, lockPath(git, race), { timeoutMs: 1000, onTakeover: () => undefined });
}

/** Everything that is started ends when the race is stopped. */
function stoppable(start: StartContained, signal: AbortSignal): StartContained {
  return (command, options) => {
    const contained = start(command, options);
    const stop = () => contained.kill();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const ended = contained.ended.finally(() => signal.removeEventListener("abort", stop));
    return { ...contained, ended };
  };
}

/** One piece of work after the other, in the order they were asked for. */
function createQueue(): RaceContext["checks"] {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}
