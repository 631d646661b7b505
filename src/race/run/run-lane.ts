import { errorText } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { fault } from "../../system/fault.ts";
import type { ContainedProcess } from "../../system/process/contained-process.ts";
import type { ForkDeps } from "../../timeline/fork/fork.ts";
import { type CheckPlace, runChecks } from "../checks/run-checks.ts";
import { findExcess, findQuestion, type WatchedLane } from "../lanes/watch-lane.ts";
import { hasEnded, type LaneStatus, type RaceRecord, readLane, writeLane } from "../race-record.ts";
import type { Lane, LaneRoom, LaneRooms } from "./lane-room.ts";

export interface RaceDeps extends ForkDeps {
  /** Called whenever a lane's status was written. */
  readonly onChange: (lane: LaneStatus) => void;
  /** Ends the race early: running commands are killed, waiting lanes are not started. */
  readonly signal: AbortSignal;
}

export interface RaceContext {
  readonly git: Git;
  readonly deps: RaceDeps;
  readonly race: RaceRecord;
  /** One check after the other: side by side they would disturb each other's times. */
  readonly checks: <T>(work: () => Promise<T>) => Promise<T>;
  readonly rooms: LaneRooms;
}

/** Runs a lane's command and its checks. One that has ended already is left as it is; one that was cut off begins anew. */
export async function runLane(context: RaceContext, lane: Lane): Promise<void> {
  const { git, deps, race, rooms } = context;
  const { name } = lane;
  if (hasEnded(readLane(git.repository, deps.files, { id: race.id, name }))) return;
  const startedAt = new Date(deps.clock.nowMs()).toISOString();
  const begun: LaneStatus = {
    version: 1,
    name,
    state: "preparing",
    filesBy: rooms.filesBy,
    checks: [],
    startedAt,
  };
  if (deps.signal.aborted) return write(context, { ...begun, state: "stopped" });
  write(context, begun);
  let room: LaneRoom | undefined;
  // what is known of a lane is told though a later step fails
  const told: { status: LaneStatus } = { status: begun };
  try {
    room = await rooms.enter(lane);
    await workIn(context, { lane, room, told });
  } catch (error) {
    write(context, { ...told.status, state: "broken", problem: errorText(error) });
  } finally {
    await room?.leave();
  }
}

interface RoomedLane {
  readonly lane: Lane;
  readonly room: LaneRoom;
}

async function workIn(
  context: RaceContext,
  { lane, room, told }: RoomedLane & { readonly told: { status: LaneStatus } },
): Promise<void> {
  const { deps, race } = context;
  const isBase = lane.command === undefined;
  if (room.path !== undefined) told.status = { ...told.status, path: room.path };
  await setUp(context, { lane, room });
  if (!isBase) told.status = await runCommand(context, { lane, room }, told.status);
  fault("race:after-command");
  const commit = isBase ? undefined : await room.recordWork();
  fault("race:after-lane-work");
  if (commit !== undefined) told.status = { ...told.status, commit };
  const { status } = told;
  const state = status.state === "preparing" ? "done" : status.state;
  write(context, { ...status, state: "checking" });
  const checks = await context.checks(() =>
    runChecks({ ...deps, startContained: room.start }, race.checks, placeOf(context, room)),
  );
  const facts = isBase ? {} : await room.readFacts(commit);
  const isCut = deps.signal.aborted;
  write(context, { ...status, ...facts, state: isCut ? "stopped" : state, checks: isCut ? [] : checks });
}

async function runCommand(
  context: RaceContext,
  { lane, room }: RoomedLane,
  before: LaneStatus,
): Promise<LaneStatus> {
  const { deps, race } = context;
  const startedMs = deps.clock.nowMs();
  const contained = startIn(context, room, { command: lane.command ?? "", stdin: race.prompt });
  const identity = deps.processTable.identify(contained.pid);
  const process = identity === undefined ? {} : { process: identity };
  const running: LaneStatus = { ...before, state: "running", ...process };
  write(context, running);
  const excess = watch(context, { room, running, contained });
  const { code, timedOut } = await contained.ended;
  const problem = await excess();
  const durationMs = deps.clock.nowMs() - startedMs;
  const state = timedOut
    ? "timed-out"
    : deps.signal.aborted
      ? "stopped"
      : problem === undefined
        ? "done"
        : "over-limit";
  return { ...before, state, exitCode: code, durationMs, ...(problem === undefined ? {} : { problem }) };
}

const watchEveryMs = 1000;

/** Looks at a running lane time and again; what it returns ends that, and tells the limit that the lane was over. */
function watch(
  context: RaceContext,
  {
    room,
    running,
    contained,
  }: {
    readonly room: LaneRoom;
    readonly running: LaneStatus;
    readonly contained: ContainedProcess;
  },
): () => Promise<string | undefined> {
  const { deps, race } = context;
  const watched: WatchedLane = { ...room.watched, countProcesses: () => contained.countProcesses() };
  let found: string | undefined;
  let waitsFor: string | undefined;
  let look: Promise<void> = Promise.resolve();
  const lookOnce = async () => {
    found ??= await findExcess(watched, race.limits ?? {}).catch(() => undefined);
    if (found !== undefined) return contained.kill();
    const question = findQuestion(deps, room.commands.logPath);
    if (question === waitsFor) return;
    waitsFor = question;
    write(context, question === undefined ? running : { ...running, waitsFor: question });
  };
  const timer = setInterval(() => {
    look = look.then(lookOnce);
  }, watchEveryMs);
  return async () => {
    clearInterval(timer);
    await look;
    return found;
  };
}

const setupLimitMs = 20 * 60_000;

async function setUp(context: RaceContext, { room }: RoomedLane): Promise<void> {
  const { setup } = context.race;
  if (setup === undefined || room.isSetUp) return;
  const { ended } = startIn(context, room, { command: setup, stdin: "", timeoutMs: setupLimitMs });
  const { code } = await ended;
  if (code !== 0) throw new Error(`the setup command ended with code ${code}`);
}

function startIn(
  context: RaceContext,
  room: LaneRoom,
  { command, ...more }: { readonly command: string; readonly stdin: string; readonly timeoutMs?: number },
): ContainedProcess {
  const { directory, reports: _, ...options } = placeOf(context, room);
  return room.start(command, { ...options, cwd: directory, ...more });
}

function placeOf({ race }: RaceContext, room: LaneRoom): CheckPlace {
  return { ...room.commands, timeoutMs: race.limitMs };
}

function write({ git, deps, race }: RaceContext, lane: LaneStatus): void {
  writeLane(git.repository, deps.files, { id: race.id, lane });
  deps.onChange(lane);
}
