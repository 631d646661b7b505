import { addModel } from "../agents/add-model.ts";
import { decodePayload } from "../agents/payload.ts";
import { findAgentAdapter } from "../agents/registry.ts";
import { observe } from "../authorship/observe.ts";
import { errorText, isKeyframeError } from "../base/errors.ts";
import { maxHookPayloadBytes } from "../base/limits.ts";
import { findRepository, type Repository } from "../git/repository.ts";
import { recordProblem } from "../journal/problems.ts";
import { isSwitchedOff } from "../journal/switch.ts";
import { nodeClock } from "../system/clock.ts";
import { nodeFiles } from "../system/files.ts";
import { nodeProcessTable } from "../system/process-identity.ts";
import { nodeProcesses } from "../system/processes.ts";
import { nodeRandom } from "../system/random.ts";
import { readStandardInput } from "../system/standard-input.ts";

/** An agent that does not close a hook's input is given up after this. */
const inputTimeoutMs = 10_000;

/** A git hook that has not settled everything by then leaves the rest to the next command. */
const settleTimeoutMs = 20_000;

/**
 * Settles what is pending in a repository, and what git says was rewritten; in a chunk of its own, since most hooks
 * have nothing to settle.
 */
export type SettleInHook = (repository: Repository, rewritten: string) => Promise<void>;

/** Brings checkpoints and notes to the remote that the user pushes to; answers what went wrong. */
export type PushInHook = (repository: Repository, remoteName: string) => Promise<readonly string[]>;

/** Chunks of their own, loaded when a hook has something for them to do. */
export interface HookChunks {
  readonly settle: () => Promise<SettleInHook>;
  readonly push: () => Promise<PushInHook>;
}

/**
 * `keyframe hook <agent>` and `keyframe hook git <name> [arguments]`. Prints nothing and ends with 0, whatever happens:
 * what went wrong is left for `status` and `doctor`.
 */
export async function runHook(args: readonly string[], chunks: HookChunks): Promise<void> {
  const [name = "", gitHook = "", gitArgument = ""] = args;
  const here = findHere();
  try {
    if (name === "git" && gitHook === "pre-push") await pushBeforeGit(gitArgument, here, chunks.push);
    else if (name === "git") await settleAfterGit(gitHook, here, chunks.settle);
    else await observeAgent(name, here, chunks.settle);
  } catch (error) {
    leaveProblem(here, name === "git" ? `git ${gitHook}` : name, errorText(error));
    // the read that is still waiting would keep the process
    if (isKeyframeError(error, "timed-out")) process.kill(process.pid, "SIGKILL");
  }
}

function findHere(): Repository | undefined {
  try {
    return findRepository(process.cwd(), nodeFiles);
  } catch {
    return undefined; // the folder was removed, or may not be read: then there is nothing to record in
  }
}

async function observeAgent(
  name: string,
  here: Repository | undefined,
  loadSettle: () => Promise<SettleInHook>,
): Promise<void> {
  const adapter = findAgentAdapter(name);
  if (adapter === undefined) return leaveProblem(here, "hook", `no agent is called ${JSON.stringify(name)}`);
  const decoded = decodePayload(await readInput());
  const event = "kind" in decoded ? decoded : adapter.parsePayload(decoded.payload);
  if (event.kind === "ignored") return;
  if (event.kind === "refused") return leaveProblem(here, name, `refused: ${event.why}`);
  const repository = findRepository(event.cwd, nodeFiles) ?? here;
  if (repository !== undefined && isSwitchedOff(repository, nodeFiles)) return;
  const { wantsSettle } = observe(addModel(event, adapter, nodeFiles), {
    files: nodeFiles,
    clock: nodeClock,
    random: nodeRandom,
    processTable: nodeProcessTable,
    processes: nodeProcesses,
  });
  if (wantsSettle && repository !== undefined) await settleInTime(repository, "", loadSettle);
}

/** Never fails the push that the user asked for. */
async function pushBeforeGit(
  remoteName: string,
  here: Repository | undefined,
  loadPush: () => Promise<PushInHook>,
): Promise<void> {
  if (here === undefined || isSwitchedOff(here, nodeFiles)) return;
  for (const problem of await (await loadPush())(here, remoteName)) leaveProblem(here, "pre-push", problem);
}

async function settleAfterGit(
  gitHook: string,
  here: Repository | undefined,
  loadSettle: () => Promise<SettleInHook>,
): Promise<void> {
  if (here === undefined || isSwitchedOff(here, nodeFiles)) return;
  const rewritten = gitHook === "post-rewrite" ? (await readInput()).toString("utf8") : "";
  await settleInTime(here, rewritten, loadSettle);
}

function readInput(): Promise<Buffer> {
  return readStandardInput({ maxBytes: maxHookPayloadBytes, timeoutMs: inputTimeoutMs });
}

/** Settling can be cut off anywhere: the next command goes on where it was. */
async function settleInTime(
  repository: Repository,
  rewritten: string,
  loadSettle: () => Promise<SettleInHook>,
): Promise<void> {
  const timer = setTimeout(() => {
    leaveProblem(repository, "settle", `not finished within ${settleTimeoutMs} ms`);
    process.exit(0);
  }, settleTimeoutMs);
  try {
    await (await loadSettle())(repository, rewritten);
  } finally {
    clearTimeout(timer);
  }
}

function leaveProblem(repository: Repository | undefined, where: string, what: string): void {
  if (repository === undefined) return;
  recordProblem(repository, nodeFiles, { at: nodeClock.nowMs(), where, what });
}
