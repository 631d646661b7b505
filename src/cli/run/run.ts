import { basename } from "node:path";
import { asName } from "../../agents/fields.ts";
import { KeyframeError } from "../../base/errors.ts";
import { listSessionStates } from "../../checkpoints/sessions/directory.ts";
import { worktreeIdOf } from "../../checkpoints/sessions/events.ts";
import { textOfState } from "../../checkpoints/sessions/state.ts";
import { otherWorktreeEnvironment } from "../../git/git-environment.ts";
import { isConnectedHere } from "../../state/connected-agents.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import { homedir } from "../../system/machine/home.ts";
import { ignoreInterrupts, shellExitCode } from "../../system/process/foreground.ts";
import { randomHex } from "../../system/random.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import { RunWatch } from "../../workflows/run/watch-run.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { readHomeFiles } from "../enable/agent-files.ts";
import { holdsHooks } from "../enable/plan-agent-file.ts";
import { printable } from "../output/terminal.ts";
import type { RunFlags } from "./run-command.ts";
import { runInSandbox } from "./run-in-sandbox.ts";
import { runInWorktree } from "./run-in-worktree.ts";
import type { RunRequest } from "./run-request.ts";

/** How often is looked whether the work tree is quiet: at least so long, and so many times what a look takes. */
const shortestPauseMs = 1000;
const pausesPerLook = 20;

/** `keyframe run` */
export async function run(this: CliContext, flags: RunFlags, ...words: string[]): Promise<void> {
  const git = openRepositoryGit(this);
  const { repository } = git;
  if (repository.workTree === undefined)
    throw new KeyframeError("refused", `${repository.gitDir} is a bare repository: nothing is edited in it`);
  if (isSwitchedOff(repository, this.files))
    throw new KeyframeError("refused", "Keyframe is disabled in this repository", {
      hint: "turn it on with `keyframe enable`",
    });
  const tool = asName(flags.agent ?? basename(words[0] ?? ""));
  if (tool === undefined) throw new KeyframeError("usage", "the name of an agent is one short line");
  const { cwd, env } = this;
  const request: RunRequest = { repository, cwd, env, words, tool, model: asName(flags.model) ?? "unknown" };
  if (flags.in === "sandbox") return runInSandbox(this, git, { request, flags });
  mustBeForSandbox(flags);
  if (flags.in === "here") {
    if (flags.name !== undefined)
      throw new KeyframeError("usage", "--name cannot be combined with --in here");
    // here an agent's own hooks tell of some of its edits, and the looks of what they do not see
    await runWatched(this, request);
    return;
  }
  const own = { ...request, env: otherWorktreeEnvironment(env) };
  await runInWorktree(this, git, { request: own, name: flags.name, run: (there) => runThere(this, there) });
}

function mustBeForSandbox({ image, allow, memory, cpus }: RunFlags): void {
  if ([image, allow, memory, cpus].every((each) => each === undefined)) return;
  throw new KeyframeError("usage", "--image, --allow, --memory and --cpus need --in sandbox");
}

/** A connected agent says more itself than looks at its files can. */
function runThere(context: CliContext, request: RunRequest): Promise<void> {
  return isConnected(context, request) ? runPlainly(context, request) : runWatched(context, request);
}

function isConnected({ files, env }: CliContext, { repository, tool }: RunRequest): boolean {
  if (isConnectedHere(repository, files, tool)) return true;
  const inHome = readHomeFiles({ files, env, home: homedir() });
  return inHome.some((found) => found.connection.agent === tool && holdsHooks(found));
}

async function runPlainly(context: CliContext, request: RunRequest): Promise<void> {
  const heed = ignoreInterrupts();
  try {
    await attach(context, request);
    if (!wasHeard(context, request))
      context.terminal.note(
        `keyframe: the hooks of ${printable(request.tool)} told nothing: its lines count as unknown`,
      );
  } finally {
    await settleFirst({ ...context, cwd: request.cwd });
    heed();
  }
}

/** True if a conversation of the agent was seen in this worktree. */
function wasHeard(context: CliContext, { repository, tool }: RunRequest): boolean {
  return listSessionStates(context, repository).some(
    ({ state }) =>
      state !== undefined &&
      textOfState(state, "worktree_id") === worktreeIdOf(repository) &&
      toolNameOf(textOfState(state, "agent_type") ?? "") === tool,
  );
}

async function runWatched(context: CliContext, request: RunRequest): Promise<void> {
  const { repository, cwd, words, tool, model } = request;
  const agent = { tool, id: `run-${randomHex(context.random, 16)}`, model };
  const watch = new RunWatch({ repository, cwd, agent, command: words.join(" ") }, context);
  // the terminal interrupts the program too; what it had done by then is still looked at
  const heed = ignoreInterrupts();
  const timer = lookNowAndThen(watch, context);
  try {
    await attach(context, request);
  } finally {
    timer.stop();
    for (const problem of watch.end()) context.terminal.note(`keyframe: ${problem}`);
    await settleFirst({ ...context, cwd });
    heed();
  }
}

async function attach(context: CliContext, { words, cwd, env }: RunRequest): Promise<void> {
  const [program = "", ...args] = words;
  const { exited } = context.processes.attach(program, args, { cwd, env, stdin: "inherit" });
  context.process.exitCode = shellExitCode(await exited);
}

function lookNowAndThen(watch: RunWatch, { clock }: CliContext): { stop(): void } {
  const controller = new AbortController();
  const loop = async () => {
    for (let pauseMs = shortestPauseMs; ; ) {
      await clock.sleep(pauseMs, controller.signal);
      const startMs = clock.monotonicMs();
      watch.lookIfQuiet();
      pauseMs = Math.max(shortestPauseMs, (clock.monotonicMs() - startMs) * pausesPerLook);
    }
  };
  loop().catch(() => undefined); // it ends by being stopped, and a look that fails is made up for at the end
  return { stop: () => controller.abort(new Error("the program has ended")) };
}
