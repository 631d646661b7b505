import { join } from "node:path";
import { errorText } from "../base/errors.ts";
import type { Git } from "../git/git.ts";
import type { ForkDeps } from "../timeline/fork/fork.ts";
import { listPersonalPaths } from "../timeline/fork/personal-files.ts";
import { type CheckPlace, runChecks, type StartContained } from "./checks/run-checks.ts";
import type { LaneSpec } from "./lane-spec.ts";
import { type LaneFiles, prepareLaneFiles } from "./lanes/base-files.ts";
import { readLaneFacts } from "./lanes/lane-facts.ts";
import { type LanePlace, makeLane, writtenRoots } from "./lanes/lane-worktree.ts";
import { recordLaneWork } from "./lanes/record-lane-work.ts";
import { type LaneStatus, laneLogPath, type RaceRecord, readLane, writeLane } from "./race-record.ts";

export interface RaceDeps extends ForkDeps {
  readonly startContained: StartContained;
  /** Called whenever a lane's status was written. */
  readonly onChange: (lane: LaneStatus) => void;
  /** Ends the race early: running commands are killed, waiting lanes are not started. */
  readonly signal: AbortSignal;
}

const ended: ReadonlySet<string> = new Set(["done", "timed-out", "stopped", "broken"]);

export function hasEnded({ state }: LaneStatus): boolean {
  return ended.has(state);
}

/**
 * Runs all lanes, at most `parallel` at once, and the checks one after the other: on few processors side by side they
 * would disturb each other's times. A lane that ended already is left as it is, so a race that was cut off goes on.
 */
export async function runRace(git: Git, deps: RaceDeps, race: RaceRecord): Promise<LaneStatus[]> {
  const checks = createQueue();
  const shared = {
    files: await prepareLaneFiles(git, deps, race),
    personal: await listPersonalPaths(git, deps.files),
  };
  const context: RaceContext = {
    git,
    deps,
    race,
    checks,
    filesBy: shared.files.by,
    makePlace: (name) => makeLane(git, deps, { race, name, ...shared }),
  };
  if (race.checks.length > 0) await checkBase(context);
  const waiting = [...race.lanes.entries()];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await runLane(context, { spec: next[1], place: next[0] });
  };
  await Promise.all(Array.from({ length: Math.max(1, race.parallel) }, worker));
  return race.lanes.map(({ name }) => readLane(git.repository, deps.files, { id: race.id, name }));
}

interface RaceContext {
  readonly git: Git;
  readonly deps: RaceDeps;
  readonly race: RaceRecord;
  readonly checks: <T>(work: () => Promise<T>) => Promise<T>;
  readonly filesBy: LaneFiles["by"];
  readonly makePlace: (name: string) => Promise<LanePlace>;
}

interface Lane {
  readonly spec: LaneSpec;
  /** 0-based place in the race. */
  readonly place: number;
}

/** A lane whose worktree is there; the base counts as one behind the others. */
interface PlacedLane {
  readonly name: string;
  readonly place: number;
  readonly where: LanePlace;
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

async function checkBase(context: RaceContext): Promise<void> {
  const { git, deps, race } = context;
  const before = readLane(git.repository, deps.files, { id: race.id, name: "base" });
  if (hasEnded(before) || deps.signal.aborted) return;
  let status: LaneStatus = {
    version: 1,
    name: "base",
    state: "checking",
    filesBy: context.filesBy,
    checks: [],
  };
  try {
    const lane = { name: "base", place: race.lanes.length, where: await context.makePlace("base") };
    status = { ...status, path: lane.where.directory };
    write(context, status);
    await setUp(context, lane);
    const checks = await runChecks(deps, race.checks, checkPlace(context, lane));
    write(context, { ...status, state: "done", checks });
  } catch (error) {
    write(context, { ...status, state: "broken", problem: errorText(error) });
  }
}

async function runLane(context: RaceContext, lane: Lane): Promise<void> {
  const { git, deps, race } = context;
  const { name } = lane.spec;
  const known = readLane(git.repository, deps.files, { id: race.id, name });
  if (hasEnded(known)) return;
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
    if (deps.signal.aborted) {
      write(context, { ...status, state: "stopped" });
      return;
    }
    write(context, status);
    const placed = { name, place: lane.place, where: await context.makePlace(name) };
    await setUp(context, placed);
    status = { ...status, path: placed.where.directory };
    status = await runCommand(context, placed, { command: lane.spec.command, before: status });
    const worktree = placed.where.git;
    const commit = await recordLaneWork(worktree, { race, name });
    if (commit !== undefined) status = { ...status, commit };
    const state = status.state;
    write(context, { ...status, state: race.checks.length > 0 ? "checking" : state });
    const checks = deps.signal.aborted
      ? []
      : await context.checks(() => runChecks(deps, race.checks, checkPlace(context, placed)));
    const facts = await readLaneFacts(git, deps, { race, worktree, commit });
    write(context, { ...status, ...facts, state, checks });
  } catch (error) {
    write(context, { ...status, state: "broken", problem: errorText(error) });
  }
}

async function runCommand(
  context: RaceContext,
  lane: PlacedLane,
  { command, before }: { readonly command: string; readonly before: LaneStatus },
): Promise<LaneStatus> {
  const { deps, race } = context;
  const startedMs = deps.clock.nowMs();
  const { directory, ...options } = checkPlace(context, lane);
  const contained = deps.startContained(command, { ...options, cwd: directory, stdin: race.prompt });
  const identity = deps.processTable.identify(contained.pid);
  const running: LaneStatus = {
    ...before,
    state: "running",
    ...(identity === undefined ? {} : { process: identity }),
  };
  write(context, running);
  const stop = () => contained.kill();
  deps.signal.addEventListener("abort", stop, { once: true });
  if (deps.signal.aborted) stop();
  const { code, timedOut } = await contained.ended;
  deps.signal.removeEventListener("abort", stop);
  const durationMs = deps.clock.nowMs() - startedMs;
  const state = timedOut ? "timed-out" : deps.signal.aborted ? "stopped" : "done";
  return { ...before, state, exitCode: code, durationMs };
}

const portBase = 20_000;
const portsPerLane = 100;

/** Ports, temporary files and names of a lane's own, so that lanes can run side by side. */
function laneEnvironment(
  { deps, race }: RaceContext,
  { name, place }: Pick<PlacedLane, "name" | "place">,
): NodeJS.ProcessEnv {
  const temporary = join(race.directory, `${name}.tmp`);
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
    marker: `${race.id}-${lane.name}`,
    timeoutMs: race.limitMs,
    ...(view === undefined ? {} : { view, roots: writtenRoots(lane.where) }),
  };
}

function write({ git, deps, race }: RaceContext, lane: LaneStatus): void {
  writeLane(git.repository, deps.files, { id: race.id, lane });
  deps.onChange(lane);
}
