import type { Oid } from "../../git/ids.ts";
import type { CheckPlace, StartContained } from "../checks/run-checks.ts";
import type { WatchedLane } from "../lanes/watch-lane.ts";
import type { LaneStatus } from "../race-record.ts";

/** A lane, or the base, which counts as one behind the others. */
export interface Lane {
  readonly name: string;
  /** 0-based place in the race. */
  readonly place: number;
  /** Absent for the base. */
  readonly command?: string;
}

export type LaneFacts = Pick<LaneStatus, "diff" | "sessions" | "observedLines" | "unknownLines">;

/** Where one lane works: a worktree on this machine, or a machine of its own. */
export interface LaneRoom {
  /** The worktree; absent where the files are not on this machine. */
  readonly path?: string;
  /** Where and how the commands of the lane run, but for the time they have. */
  readonly commands: Omit<CheckPlace, "timeoutMs">;
  readonly start: StartContained;
  /** What the limits are held against. */
  readonly watched: Omit<WatchedLane, "countProcesses">;
  /** True where the setup command ran before the lane was made. */
  readonly isSetUp: boolean;
  /** Commits what was left uncommitted and names the lane's newest commit by a ref; undefined where nothing was changed. */
  recordWork(): Promise<Oid | undefined>;
  /** What can be said of the work without judging it. */
  readFacts(commit: Oid | undefined): Promise<LaneFacts>;
  /** The lane has ended: what only its running commands needed goes. */
  leave(): Promise<void>;
}

/** The places of all lanes of a race. */
export interface LaneRooms {
  readonly filesBy: NonNullable<LaneStatus["filesBy"]>;
  /** Makes the place anew: what an attempt that was cut off left of it is removed first. */
  enter(lane: Lane): Promise<LaneRoom>;
  /** Every lane has ended. */
  close(): Promise<void>;
}

/** `stoppable` makes what starts commands one whose commands end when the race is stopped. */
export type OpenLaneRooms = (stoppable: (start: StartContained) => StartContained) => Promise<LaneRooms>;

const portBase = 20_000;
const portsPerLane = 100;

/** Ports and names of a lane's own, so that lanes can run side by side. */
export function laneVariables(
  race: { readonly id: string; readonly prompt: string },
  { name, place }: Lane,
): Record<string, string> {
  const port = String(portBase + portsPerLane * place);
  return {
    KEYFRAME_RACE: race.id,
    KEYFRAME_LANE: name,
    KEYFRAME_PROMPT: race.prompt,
    KEYFRAME_PORT_BASE: port,
    PORT: port,
  };
}
