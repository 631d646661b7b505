import type { Repository } from "../git/repository.ts";
import type { Machine } from "../system/machine/machine.ts";
import { createTrace, type RecordedTrace } from "../system/trace.ts";
import { recordTrace, type TraceRecord } from "./trace-log.ts";

/** The trace of this process, kept when it ends; from its first second on also while it runs, in case it is killed. */
export interface RunRecorder {
  readonly trace: RecordedTrace;
  /** Where the record goes, once that is known; without it there is none. */
  setPlace(repository: Repository | undefined): void;
  /** Fixed words of ours that say what is run. */
  setName(name: string): void;
  /** From here on it may take long. Costs a timer, and holds up nothing. */
  watch(): void;
  /** Writes the record; once. */
  close(state: Exclude<TraceRecord["state"], "running">): void;
}

const firstLookMs = 1000;

/** Of hooks that were quick and ended well one in so many is recorded: an agent's session runs thousands of them. */
const quickHooksPerRecord = 10;
const quickMs = 250;

export function createRunRecorder(
  { clock, files, processTable }: Machine,
  env: NodeJS.ProcessEnv = process.env,
): RunRecorder {
  // seconds since the process began, Node's own start included
  const startedMs = process.uptime() * 1000;
  const trace = createTrace(clock, startedMs);
  const at = Math.round(clock.nowMs() - startedMs);
  const run = `${process.pid}-${at}`;
  let place: Repository | undefined;
  let name = "";
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function write(state: TraceRecord["state"]): void {
    if (place === undefined || name === "") return;
    const whoRuns = state === "running" ? { process: processTable.self() } : {};
    recordTrace(place, files, { version: 1, run, at, state, ...whoRuns, root: trace.read(name) });
  }

  /** Recording costs a hook about a millisecond, most of it for loading what has never run in this process. */
  function isLeftOut(state: TraceRecord["state"]): boolean {
    const isQuickHook = name.startsWith("hook ") && process.uptime() * 1000 < quickMs;
    if (state !== "done" || !isQuickHook || env["KEYFRAME_TRACE"] === "all") return false;
    return (process.pid + at) % quickHooksPerRecord !== 0;
  }

  /** Each look twice as late as the one before: a day's run leaves fewer than twenty lines. */
  function lookAfter(delayMs: number): void {
    timer = setTimeout(() => {
      write("running");
      lookAfter(delayMs * 2);
    }, delayMs);
    timer.unref();
  }

  return {
    trace,
    setPlace(repository) {
      place = repository;
    },
    setName(words) {
      name = words;
    },
    watch() {
      if (timer === undefined && !isClosed) lookAfter(firstLookMs);
    },
    close(state) {
      if (isClosed) return;
      isClosed = true;
      clearTimeout(timer);
      if (!isLeftOut(state)) write(state);
    },
  };
}
