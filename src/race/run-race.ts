import { join } from "node:path";
import { errorText } from "../base/errors.ts";
import type { Git } from "../git/git.ts";
import type { ForkDeps } from "../timeline/fork/fork.ts";
import { type CheckPlace, runChecks, type StartContained } from "./checks/run-checks.ts";
import { readLaneFacts } from "./lane-facts.ts";
import type { LaneSpec } from "./lane-spec.ts";
import { makeLaneWorktree } from "./lane-worktree.ts";
import { type LaneStatus, laneLogPath, type RaceRecord, readLane, writeLane } from "./race-record.ts";
import { recordLaneWork } from "./record-lane-work.ts";

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
  const context: RaceContext = { git, deps, race, checks };
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
}

interface Lane {
  readonly spec: LaneSpec;
  /** 0-based place in the race. */
  readonly place: number;
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
  let status: LaneStatus = { version: 1, name: "base", state: "checking", checks: [] };
  try {
    const worktree = await makeLaneWorktree(git, deps, { race, name: "base" });
    status = { ...status, path: worktree.repository.workTree ?? "" };
    write(context, status);
    await setUp(context, { name: "base", place: -1, directory: status.path ?? "" });
    const checks = await runChecks(deps, race.checks, checkPlace(context, { name: "base", place: -1 }));
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
  let status: LaneStatus = { version: 1, name, state: "preparing", checks: [], startedAt };
  try {
    if (deps.signal.aborted) {
      write(context, { ...status, state: "stopped" });
      return;
    }
    write(context, status);
    const worktree = await makeLaneWorktree(git, deps, { race, name });
    const directory = worktree.repository.workTree ?? "";
    await setUp(context, { name, place: lane.place, directory });
    status = { ...status, path: directory };
    status = await runCommand(context, lane, status);
    const commit = await recordLaneWork(worktree, { race, name });
    if (commit !== undefined) status = { ...status, commit };
    const state = status.state;
    write(context, { ...status, state: race.checks.length > 0 ? "checking" : state });
    const checks = deps.signal.aborted
      ? []
      : await context.checks(() =>
          runChecks(deps, race.checks, checkPlace(context, { name, place: lane.place })),
        );
    const facts = await readLaneFacts(git, deps, { race, worktree, commit });
    write(context, { ...status, ...facts, state, checks });
  } catch (error) {
    write(context, { ...status, state: "broken", problem: errorText(error) });
  }
}

async function runCommand(
  context: RaceContext,
  { spec, place }: Lane,
  before: LaneStatus,
): Promise<LaneStatus> {
  const { git, deps, race } = context;
  const startedMs = deps.clock.nowMs();
  const contained = deps.startContained(spec.command, {
    cwd: before.path ?? race.directory,
    env: laneEnvironment(context, { name: spec.name, place }),
    logPath: laneLogPath(git.repository, race.id, spec.name),
    stdin: race.prompt,
    marker: `${race.id}-${spec.name}`,
    timeoutMs: race.limitMs,
  });
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
  { name, place }: { readonly name: string; readonly place: number },
): NodeJS.ProcessEnv {
  const temporary = join(race.directory, `${name}.tmp`);
  deps.files.makeFolder(temporary, { mode: 0o700 });
  // the base has the last range
  const port = String(portBase + portsPerLane * (place < 0 ? race.lanes.length : place));
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

async function setUp(
  context: RaceContext,
  { name, place, directory }: { readonly name: string; readonly place: number; readonly directory: string },
): Promise<void> {
  const { git, deps, race } = context;
  if (race.setup === undefined) return;
  const { ended: result } = deps.startContained(race.setup, {
    cwd: directory,
    env: laneEnvironment(context, { name, place }),
    logPath: laneLogPath(git.repository, race.id, name),
    stdin: "",
    marker: `${race.id}-${name}`,
    timeoutMs: setupLimitMs,
  });
  const { code } = await result;
  if (code !== 0) throw new Error(`the setup command ended with code ${code}`);
}

function checkPlace(
  context: RaceContext,
  { name, place }: { readonly name: string; readonly place: number },
): CheckPlace {
  const { git, race } = context;
  return {
    directory: join(race.directory, name),
    env: laneEnvironment(context, { name, place }),
    logPath: laneLogPath(git.repository, race.id, name),
    marker: `${race.id}-${name}`,
    timeoutMs: race.limitMs,
  };
}

function write({ git, deps, race }: RaceContext, lane: LaneStatus): void {
  writeLane(git.repository, deps.files, { id: race.id, lane });
  deps.onChange(lane);
}
