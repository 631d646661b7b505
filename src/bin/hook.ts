import type { AgentAdapter, AgentEvent } from "../agents/agent-event.ts";
import { placeTranscript } from "../agents/conversations/transcript-folders.ts";
import { builtInAdapters } from "../agents/hooks/built-in-adapters.ts";
import { completeEvent } from "../agents/hooks/complete-event.ts";
import { decodePayload } from "../agents/payload.ts";
import { closeCalls } from "../authorship/record/close-calls.ts";
import { observe } from "../authorship/record/observe.ts";
import { errorText } from "../base/errors.ts";
import { maxHookPayloadBytes } from "../base/limits.ts";
import { isMarked } from "../checkpoints/sessions/directory.ts";
import {
  advanceSession,
  isSessionEvent,
  type SessionEvent,
  unannouncedPrompt,
} from "../checkpoints/sessions/events.ts";
import {
  bindGuest,
  forgetGuests,
  guestsOfEdit,
  guestsOfSession,
  markStartedElsewhere,
  openGuestBook,
} from "../checkpoints/sessions/guests.ts";
import { gitHooks } from "../git/hooks/hook-names.ts";
import { findTouchedHooks } from "../git/hooks/hook-watch.ts";
import {
  type FoundRepository,
  findRepository,
  lookForRepository,
  type Repository,
} from "../git/repository.ts";
import { isConnectedHere, noteHeard } from "../state/connected-agents.ts";
import { recordProblem } from "../state/problems.ts";
import { isSwitchedOff, isSwitchedOn } from "../state/switch.ts";
import { homedir } from "../system/machine/home.ts";
import { type Machine, nodeMachine, traceMachine } from "../system/machine/machine.ts";
import { readStandardInput } from "../system/machine/standard-input.ts";
import { createRunRecorder, type RunRecorder } from "../trace/run-recorder.ts";

const { files, clock } = nodeMachine;

/** An agent that does not close a hook's input is given up after this. */
const inputTimeoutMs = 10_000;

/** A hook that has not done everything by then leaves the rest to the next command. */
const heavyTimeoutMs = secondsOf(process.env["KEYFRAME_HOOK_SECONDS"]) * 1000;

/** From 1 second to an hour; a slow machine may set more than the usual 20. */
function secondsOf(text: string | undefined): number {
  return /^[1-9]\d{0,3}$/.test(text ?? "") ? Math.min(Number(text), 3600) : 20;
}

/**
 * Settles what is pending in a repository, and what git says was rewritten; in a chunk of its own, since most hooks
 * have nothing to settle.
 */
export type SettleInHook = typeof import("../cli/hooks/settle.ts").settleInHook;

/**
 * Brings checkpoints and notes to the remote that the user pushes to; returns what went wrong. `pushed`: what git tells
 * its `pre-push` hook on standard input.
 */
export type PushInHook = (
  repository: Repository,
  machine: Machine,
  push: { readonly remoteName: string; readonly pushed: string },
) => Promise<readonly string[]>;

/** What hooks do beyond recording, each in a chunk of its own: most hooks need none of it. */
export interface HookChunks {
  readonly loadSettle: () => Promise<SettleInHook>;
  readonly loadPush: () => Promise<PushInHook>;
  readonly loadSession: () => Promise<typeof import("../cli/hooks/session.ts").sessionInHook>;
  readonly loadCommit: () => Promise<typeof import("../cli/hooks/commit.ts").commitInHook>;
  readonly loadHooks: () => Promise<typeof import("../cli/hooks/restore-hooks.ts").hooksInHook>;
  readonly loadAgents: () => Promise<typeof import("../cli/hooks/agents.ts").findAgentAdapter>;
}

/**
 * `keyframe hook <agent>` and `keyframe hook git <name> [arguments]`. Ends with 0, whatever happens: what went wrong is
 * left for `status` and `doctor`. Only a push says something, and a commit on a terminal.
 */
export async function runHook(args: readonly string[], chunks: HookChunks): Promise<void> {
  const [name = "", gitHook = "", ...rest] = args;
  const recorder = createRunRecorder(nodeMachine);
  const machine = { ...traceMachine(nodeMachine, recorder.trace), found: new Map<string, FoundRepository>() };
  const run: HookRun = { recorder, chunks, machine };
  const here = findHere(machine);
  try {
    if (name === "git") await afterGit(run, here, { hook: gitHook, args: rest });
    else await observeAgent(run, here, { name, words: args.slice(1) });
    recorder.close("done");
  } catch (error) {
    leaveProblem(here, name === "git" ? `git ${gitHook}` : name, errorText(error));
    recorder.close("failed");
  }
}

interface HookRun {
  /** Says nothing of a hook that has nothing to do: it is not given a name then. */
  readonly recorder: RunRecorder;
  readonly machine: Machine;
  readonly chunks: HookChunks;
}

function findHere(machine: Machine): Repository | undefined {
  try {
    return findRepository(process.cwd(), machine);
  } catch {
    return undefined; // the directory was removed, or may not be read: then there is nothing to record in
  }
}

async function observeAgent(
  run: HookRun,
  here: Repository | undefined,
  { name, words }: { readonly name: string; readonly words: readonly string[] },
): Promise<void> {
  const { recorder, machine, chunks } = run;
  const { trace } = recorder;
  const adapter =
    builtInAdapters.find((each) => each.name === name) ?? (await trace.span("load", chunks.loadAgents))(name);
  if (adapter === undefined) return leaveProblem(here, "hook", `no agent is called ${JSON.stringify(name)}`);
  const decoded = trace.span("input", () => decodePayload(readInput()));
  const eventName = words.find((word) => !word.startsWith("--"));
  const reading = "kind" in decoded ? decoded : adapter.parsePayload(decoded.payload, eventName);
  if (reading.kind === "ignored") return;
  if (reading.kind === "refused") {
    // an agent that runs another's hooks too, and is heard by its own
    const isHeard =
      reading.sender !== undefined && here !== undefined && isConnectedHere(here, files, reading.sender);
    return isHeard ? undefined : leaveProblem(here, name, `refused: ${reading.why}`);
  }
  const found = lookForRepository(reading.cwd, machine);
  if (found.kind === "refused") return leaveProblem(here, name, `refused: ${found.error.message}`);
  const repository = found.kind === "found" ? found.repository : here;
  if (repository !== undefined && !mayRecord(repository, name, words)) return;
  const event = withEnd(placeConversation(reading, { repository, name }), adapter);
  recorder.setName(`hook ${name} ${event.kind}`);
  recorder.setPlace(repository);
  if (repository !== undefined)
    noteHeard(repository, files, { tool: name, at: clock.nowMs(), event: event.kind });
  if (adapter.writesAfterMs !== undefined && event.kind === "after-edit")
    await clock.sleep(adapter.writesAfterMs);
  const surroundings = { files, home: homedir(), env: process.env };
  const whole = trace.span("complete", () =>
    placeConversation(completeEvent(event, adapter, surroundings), { repository, name }),
  );
  const { wantsSettle } = trace.span("record", () => {
    closeCalls(whole, adapter, machine);
    return observe(whole, machine);
  });
  await advanceGuests(run, whole, { home: repository, name });
  if (repository?.workTree === undefined) return;
  if (wantsSettle)
    await inTime(run, repository, "settle", async () =>
      (await trace.span("load", chunks.loadSettle))(repository, machine, { hook: undefined, rewritten: "" }),
    );
  if (isSessionEvent(whole)) return advance(run, whole, { repository, name });
  const begun = adapter.name === "agent-v1" ? undefined : unannouncedPrompt(whole, repository, machine);
  if (begun !== undefined) await advance(run, begun, { repository, name });
}

/** A hook that nobody waits for is started as soon as the call has ended: by then it had. */
function withEnd(event: AgentEvent, { afterHooks }: AgentAdapter): AgentEvent {
  const isEnd = event.kind === "after-edit" || event.kind === "after-shell";
  if (afterHooks !== "late" || !isEnd) return event;
  return { ...event, endedByMs: clock.nowMs() - process.uptime() * 1000 };
}

/** `--where-enabled` and `--everywhere`: a hook in settings of the user's home, which serve all repositories. */
function mayRecord(repository: Repository, name: string, words: readonly string[]): boolean {
  if (isSwitchedOff(repository, files)) return false;
  const isFromHome = words.includes("--where-enabled") || words.includes("--everywhere");
  if (!isFromHome) return true;
  // the repository has hooks of its own for the agent: each event is taken once
  if (isConnectedHere(repository, files, name)) return false;
  return words.includes("--everywhere") || isSwitchedOn(repository, files);
}

async function advance(
  run: HookRun,
  event: SessionEvent,
  { repository, name }: { readonly repository: Repository; readonly name: string },
): Promise<void> {
  const { chunks, machine, recorder } = run;
  const { wants } = recorder.trace.span("session", () => advanceSession(event, repository, machine));
  if (event.kind === "prompt") await keepGitHooks(run, name, repository);
  if (wants === undefined) return;
  await inTime(run, repository, `${name} ${wants}`, async () =>
    (await recorder.trace.span("load", chunks.loadSession))(repository, machine, { event, wants }),
  );
}

/**
 * An agent started in one repository (or above several) works in others as well: where those are enabled, each gets the
 * conversation too. A turn begins there with the first edit and ends with the agent's turn.
 */
async function advanceGuests(
  run: HookRun,
  event: AgentEvent,
  { home, name }: { readonly home: Repository | undefined; readonly name: string },
): Promise<void> {
  if (!("agent" in event) || event.kind === "prompt" || event.kind === "session-start") return;
  const { machine } = run;
  const book = openGuestBook(process.env, homedir());
  const isSession = isSessionEvent(event);
  const guests = isSession
    ? guestsOfSession(book, machine, event.agent).filter(({ gitDir }) => gitDir !== home?.gitDir)
    : guestsOfEdit(event, home, machine);
  for (const guest of guests) {
    try {
      const there = { ...event, cwd: guest.workTree ?? event.cwd };
      if (isSessionEvent(there)) {
        if (there.kind === "turn-end" && !isMarked(machine, guest, { id: event.agent.id, mark: "at-work" }))
          continue;
        await advance(run, there, { repository: guest, name });
        continue;
      }
      const begun = unannouncedPrompt(there, guest, machine);
      if (begun === undefined || !bindGuest(book, machine, event.agent, guest)) continue;
      await advance(run, begun, { repository: guest, name });
      if (home?.workTree !== undefined) markStartedElsewhere(machine, { guest, home, id: event.agent.id });
    } catch (error) {
      leaveProblem(guest, name, errorText(error));
    }
  }
  if (event.kind === "session-end") forgetGuests(book, machine, event.agent);
}

/** The event without its transcript, where that is not one of the agent's: what is stored of it would be pushed. */
function placeConversation(
  event: AgentEvent,
  { repository, name }: { readonly repository: Repository | undefined; readonly name: string },
): AgentEvent {
  if (!("agent" in event) || event.transcriptPath === undefined) return event;
  const { transcriptPath, ...rest } = event;
  const place = placeTranscript(event.agent.tool, transcriptPath, { files });
  if ("path" in place) return { ...event, transcriptPath: place.path };
  if (isSessionEvent(event)) leaveProblem(repository, name, `refused: ${place.why}`);
  return rest;
}

/** Other tools write their git hooks over ours; a turn may end in a commit, so this is the time to see it. */
async function keepGitHooks(run: HookRun, name: string, repository: Repository): Promise<void> {
  const program = findTouchedHooks(repository, files);
  if (program === undefined) return;
  try {
    await inTime(run, repository, "git hooks", async () =>
      (await run.recorder.trace.span("load", run.chunks.loadHooks))(repository, program),
    );
  } catch (error) {
    leaveProblem(repository, `${name} git hooks`, errorText(error));
  }
}

/** Never fails the push that the user asked for. */
async function pushBeforeGit(
  { chunks, machine, recorder }: HookRun,
  here: Repository,
  remoteName: string,
): Promise<void> {
  recorder.watch();
  const pushed = readInput().toString("utf8");
  const push = await recorder.trace.span("load", chunks.loadPush);
  for (const problem of await push(here, machine, { remoteName, pushed }))
    leaveProblem(here, "pre-push", problem);
}

async function afterGit(
  run: HookRun,
  here: Repository | undefined,
  { hook, args }: { readonly hook: string; readonly args: readonly string[] },
): Promise<void> {
  if (here === undefined || isSwitchedOff(here, files)) return;
  const { chunks, machine, recorder } = run;
  if (gitHooks.some(({ name }) => name === hook)) recorder.setName(`hook git ${hook}`);
  recorder.setPlace(here);
  if (hook === "pre-push") return pushBeforeGit(run, here, args[0] ?? "");
  if (hook === "prepare-commit-msg" || hook === "commit-msg") {
    await inTime(run, here, hook, async () =>
      (await recorder.trace.span("load", chunks.loadCommit))(here, machine, { hook, args }),
    );
    return;
  }
  const rewritten = hook === "post-rewrite" ? readInput().toString("utf8") : "";
  await inTime(run, here, "settle", async () =>
    (await recorder.trace.span("load", chunks.loadSettle))(here, machine, { hook, rewritten }),
  );
}

function readInput(): Buffer {
  return readStandardInput({ maxBytes: maxHookPayloadBytes, timeoutMs: inputTimeoutMs });
}

/** What a hook does beyond recording can be cut off anywhere: the next hook or command goes on where it was. */
async function inTime(
  { recorder }: HookRun,
  repository: Repository,
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  const timer = setTimeout(() => {
    leaveProblem(repository, what, `not finished within ${heavyTimeoutMs} ms`);
    recorder.close("cut off");
    process.exit(0);
  }, heavyTimeoutMs);
  recorder.watch();
  try {
    await work();
  } finally {
    clearTimeout(timer);
  }
}

function leaveProblem(repository: Repository | undefined, where: string, what: string): void {
  if (repository === undefined) return;
  recordProblem(repository, files, { at: clock.nowMs(), where, what });
}
