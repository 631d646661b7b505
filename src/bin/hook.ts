import { addModel } from "../agents/add-model.ts";
import { decodePayload } from "../agents/payload.ts";
import { findAgentAdapter } from "../agents/registry.ts";
import { observe } from "../authorship/observe.ts";
import { errorText } from "../base/errors.ts";
import { maxHookPayloadBytes } from "../base/limits.ts";
import { advanceSession, isSessionEvent } from "../checkpoints/session-events.ts";
import { findTouchedHooks } from "../git/hooks/hook-watch.ts";
import { findRepository, type Repository } from "../git/repository.ts";
import { recordProblem } from "../journal/problems.ts";
import { isSwitchedOff } from "../journal/switch.ts";
import { nodeMachine } from "../system/machine.ts";
import { readStandardInput } from "../system/standard-input.ts";

const { files, clock } = nodeMachine;

/** An agent that does not close a hook's input is given up after this. */
const inputTimeoutMs = 10_000;

/** A hook that has not done everything by then leaves the rest to the next command. */
const heavyTimeoutMs = 20_000;

/**
 * Settles what is pending in a repository, and what git says was rewritten; in a chunk of its own, since most hooks
 * have nothing to settle.
 */
export type SettleInHook = (repository: Repository, rewritten: string) => Promise<void>;

/** Brings checkpoints and notes to the remote that the user pushes to; answers what went wrong. */
export type PushInHook = (repository: Repository, remoteName: string) => Promise<readonly string[]>;

/** What hooks do beyond recording, each in a chunk of its own: most hooks need none of it. */
export interface HookChunks {
  readonly loadSettle: () => Promise<SettleInHook>;
  readonly loadPush: () => Promise<PushInHook>;
  readonly loadSession: () => Promise<typeof import("../cli/session-in-hook.ts").sessionInHook>;
  readonly loadCommit: () => Promise<typeof import("../cli/commit-in-hook.ts").commitInHook>;
  readonly loadHooks: () => Promise<typeof import("../cli/hooks-in-hook.ts").hooksInHook>;
}

/**
 * `keyframe hook <agent>` and `keyframe hook git <name> [arguments]`. Prints nothing and ends with 0, whatever happens:
 * what went wrong is left for `status` and `doctor`.
 */
export async function runHook(args: readonly string[], chunks: HookChunks): Promise<void> {
  const [name = "", gitHook = "", ...rest] = args;
  const here = findHere();
  try {
    if (name === "git") await afterGit(here, { hook: gitHook, args: rest }, chunks);
    else await observeAgent(name, here, chunks);
  } catch (error) {
    leaveProblem(here, name === "git" ? `git ${gitHook}` : name, errorText(error));
  }
}

function findHere(): Repository | undefined {
  try {
    return findRepository(process.cwd(), files);
  } catch {
    return undefined; // the folder was removed, or may not be read: then there is nothing to record in
  }
}

async function observeAgent(name: string, here: Repository | undefined, chunks: HookChunks): Promise<void> {
  const adapter = findAgentAdapter(name);
  if (adapter === undefined) return leaveProblem(here, "hook", `no agent is called ${JSON.stringify(name)}`);
  const decoded = decodePayload(readInput());
  const event = "kind" in decoded ? decoded : adapter.parsePayload(decoded.payload);
  if (event.kind === "ignored") return;
  if (event.kind === "refused") return leaveProblem(here, name, `refused: ${event.why}`);
  const repository = findRepository(event.cwd, files) ?? here;
  if (repository !== undefined && isSwitchedOff(repository, files)) return;
  const { wantsSettle } = observe(addModel(event, adapter, files), nodeMachine);
  if (repository?.workTree === undefined) return;
  if (wantsSettle)
    await inTime(repository, "settle", async () => (await chunks.loadSettle())(repository, ""));
  if (!isSessionEvent(event)) return;
  const { wants } = advanceSession(event, repository, nodeMachine);
  if (event.kind === "prompt") await keepGitHooks(name, repository, chunks);
  if (wants === undefined) return;
  await inTime(repository, `${name} ${wants}`, async () =>
    (await chunks.loadSession())(repository, event, wants),
  );
}

/** Other tools write their git hooks over ours; a turn may end in a commit, so this is the time to see it. */
async function keepGitHooks(name: string, repository: Repository, chunks: HookChunks): Promise<void> {
  const program = findTouchedHooks(repository, files);
  if (program === undefined) return;
  try {
    await inTime(repository, "git hooks", async () => (await chunks.loadHooks())(repository, program));
  } catch (error) {
    leaveProblem(repository, `${name} git hooks`, errorText(error));
  }
}

/** Never fails the push that the user asked for. */
async function pushBeforeGit(here: Repository, remoteName: string, chunks: HookChunks): Promise<void> {
  for (const problem of await (await chunks.loadPush())(here, remoteName))
    leaveProblem(here, "pre-push", problem);
}

async function afterGit(
  here: Repository | undefined,
  { hook, args }: { readonly hook: string; readonly args: readonly string[] },
  chunks: HookChunks,
): Promise<void> {
  if (here === undefined || isSwitchedOff(here, files)) return;
  if (hook === "pre-push") return pushBeforeGit(here, args[0] ?? "", chunks);
  if (hook === "prepare-commit-msg" || hook === "commit-msg") {
    await inTime(here, hook, async () => (await chunks.loadCommit())(here, hook, args));
    return;
  }
  const rewritten = hook === "post-rewrite" ? readInput().toString("utf8") : "";
  await inTime(here, "settle", async () => (await chunks.loadSettle())(here, rewritten));
}

function readInput(): Buffer {
  return readStandardInput({ maxBytes: maxHookPayloadBytes, timeoutMs: inputTimeoutMs });
}

/** What a hook does beyond recording can be cut off anywhere: the next hook or command goes on where it was. */
async function inTime(repository: Repository, what: string, work: () => Promise<void>): Promise<void> {
  const timer = setTimeout(() => {
    leaveProblem(repository, what, `not finished within ${heavyTimeoutMs} ms`);
    process.exit(0);
  }, heavyTimeoutMs);
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
