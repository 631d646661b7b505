import { join } from "node:path";
import { errorText } from "../../base/errors.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import type { Git } from "../../git/git.ts";
import { fault } from "../../system/fault.ts";
import type { ContainedProcess } from "../../system/process/contained-process.ts";
import type { ForkDeps } from "../../timeline/fork/fork.ts";
import { type CheckPlace, runChecks, type StartContained } from "../checks/run-checks.ts";
import type { LaneFiles } from "../lanes/base-files.ts";
import { readLaneFacts } from "../lanes/lane-facts.ts";
import { type LanePlace, writtenRoots } from "../lanes/lane-worktree.ts";
import { recordLaneWork } from "../lanes/record-lane-work.ts";
import { findExcess, findQuestion, type WatchedLane } from "../lanes/watch-lane.ts";
import {
  hasEnded,
  type LaneStatus,
  laneLogPath,
  laneMarker,
  type RaceRecord,
  readLane,
  writeLane,
} from "../race-record.ts";

export interface RaceDeps extends ForkDeps {
  readonly startContained: StartContained;
  /** Ends what an earlier process started under a marker. */
  readonly endContained: (marker: string) => void;
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
  readonly filesBy: LaneFiles["by"];
  readonly makePlace: (name: string) => Promise<LanePlace>;
}

/** A lane, or the base, which counts as one behind the others. */
export interface Lane {
  readonly name: string;
  /** 0-based place in the race. */
  readonly place: number;
  /** Absent for the base. */
  readonly command?: string;
}

interface PlacedLane extends Lane {
  readonly where: LanePlace;
}

/** Runs a lane's command and its checks. One that has ended already is left as it is; one that was cut off begins anew. */
export async function runLane(context: RaceContext, lane: Lane): Promise<void> {
  const { git, deps, race } = context;
  const { name, command } = lane;
  const known = readLane(git.repository, deps.files, { id: race.id, name });
  if (hasEnded(known)) return;
  if (known.state !== "waiting") deps.endContained(laneMarker(race.id, name));
  const startedAt = new Date(deps.clock.nowMs()).toISOString();
  let status: LaneStatus = {
    version: 1,
    name,
    state: "preparing",
    filesBy: context.filesBy,
    checks: [],
    startedAt,
  };
  try {
    if (deps.signal.aborted) return write(context, { ...status, state: "stopped" });
    write(context, status);
    const placed = { ...lane, where: await context.makePlace(name) };
    status = { ...status, path: placed.where.directory };
    await setUp(context, placed);
    if (command !== undefined) status = await runCommand(context, placed, status);
    fault("race:after-command");
    const commit = command === undefined ? undefined : await recordLaneWork(placed.where.git, { race, name });
    fault("race:after-lane-work");
    if (commit !== undefined) status = { ...status, commit };
    const state = status.state === "preparing" ? "done" : status.state;
    write(context, { ...status, state: "checking" });
    const checks = await context.checks(() => runChecks(deps, race.checks, checkPlace(context, placed)));
    const facts =
      command === undefined
        ? {}
        : await readLaneFacts(git, deps, { race, worktree: placed.where.git, commit });
    const isCut = deps.signal.aborted;
    write(context, { ...status, ...facts, state: isCut ? "stopped" : state, checks: isCut ? [] : checks });
  } catch (error) {
    write(context, { ...status, state: "broken", problem: errorText(error) });
  }
}

async function runCommand(context: RaceContext, lane: PlacedLane, before: LaneStatus): Promise<LaneStatus> {
  const { deps, race } = context;
  const startedMs = deps.clock.nowMs();
  const { directory, ...options } = checkPlace(context, lane);
  const contained = deps.startContained(lane.command ?? "", {
    ...options,
    cwd: directory,
    stdin: race.prompt,
  });
  const identity = deps.processTable.identify(contained.pid);
  const process = identity === undefined ? {} : { process: identity };
  const running: LaneStatus = { ...before, state: "running", ...process };
  write(context, running);
  const excess = watch(context, { lane, running, contained });
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
    lane,
    running,
    contained,
  }: { readonly lane: PlacedLane; readonly running: LaneStatus; readonly contained: ContainedProcess },
): () => Promise<string | undefined> {
  const { git, deps, race } = context;
  const { redactor } = readCaptureSettings(git.repository, deps);
  const logPath = laneLogPath(git.repository, race.id, lane.name);
  const roots = writtenRoots(lane.where).map(({ directory }) => directory);
  const watched: WatchedLane = {
    repository: lane.where.git.repository,
    logPath,
    written: [...(roots.length > 0 ? roots : [lane.where.directory]), temporaryOf(race, lane.name)],
    countProcesses: () => contained.countProcesses(),
  };
  let found: string | undefined;
  let waitsFor: string | undefined;
  let look: Promise<void> = Promise.resolve();
  const lookOnce = async () => {
    found ??= await findExcess({ ...deps, redactor }, watched, race.limits ?? {}).catch(() => undefined);
    if (found !== undefined) return contained.kill();
    const question = findQuestion(deps, logPath);
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

const portBase = 20_000;
const portsPerLane = 100;

function temporaryOf({ directory }: RaceRecord, name: string): string {
  return join(directory, `${name}.tmp`);
}

/** Ports, temporary files and names of a lane's own, so that lanes can run side by side. */
function laneEnvironment({ deps, race }: RaceContext, { name, place }: Lane): NodeJS.ProcessEnv {
  const temporary = temporaryOf(race, name);
  deps.files.makeFolder(temporary, { mode: 0o700 });
  const port = String(portBase + portsPerLane * place);
  return {
    ...deps.env,
    KEYFRAME_RACE: race.id,
    KEYFRAME_LANE: name,
    KEYFRAME_PROMPT: race.prompt,
    KEYFRAME_PORT_BASE: port,
    PORT: port,
    TMPDIR: temporary,
  };
}

const setupLimitMs = 20 * 60_000;

async function setUp(context: RaceContext, lane: PlacedLane): Promise<void> {
  const { deps, race } = context;
  if (race.setup === undefined) return;
  const { directory, ...options } = checkPlace(context, lane);
  const { ended: result } = deps.startContained(race.setup, {
    ...options,
    cwd: directory,
    stdin: "",
    timeoutMs: setupLimitMs,
  });
  const { code } = await result;
  if (code !== 0) throw new Error(`the setup command ended with code ${code}`);
}

/** Where and how the commands of a lane run. */
function checkPlace(context: RaceContext, lane: PlacedLane): CheckPlace {
  const { git, race } = context;
  const { directory, view } = lane.where;
  return {
    directory,
    env: laneEnvironment(context, lane),
    logPath: laneLogPath(git.repository, race.id, lane.name),
    marker: laneMarker(race.id, lane.name),
    timeoutMs: race.limitMs,
    ...(view === undefined ? {} : { view, roots: writtenRoots(lane.where) }),
  };
}

function write({ git, deps, race }: RaceContext, lane: LaneStatus): void {
  writeLane(git.repository, deps.files, { id: race.id, lane });
  deps.onChange(lane);
}
