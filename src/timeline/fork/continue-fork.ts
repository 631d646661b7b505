import { continueHeadless } from "../../agents/headless-commands.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import { readSessionState } from "../../checkpoints/sessions/directory.ts";
import { otherWorktreeEnvironment } from "../../git/git-environment.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import type { ContainedOptions, ContainedProcess } from "../../system/process/contained-process.ts";
import { type ForkRecord, forkLogPath } from "./fork-record.ts";

export interface ContinueDeps {
  readonly files: Files;
  readonly env: NodeJS.ProcessEnv;
  readonly startContained: (command: string, options: ContainedOptions) => ContainedProcess;
  /** Ends the agents early. */
  readonly signal: AbortSignal;
}

export interface ForkPrompt {
  readonly fork: ForkRecord;
  readonly prompt: string;
  /** Arguments of the user's for the agent. */
  readonly more: readonly string[];
}

export interface ContinuedFork {
  readonly name: string;
  readonly prompt: string;
  /** Conversation that got the prompt; absent where the fork has none that its agent can continue so. */
  readonly session?: string;
  /** Exit code of the agent; -1 where it did not start. */
  readonly code: number;
  /** False where no hook of the agent was heard: its lines are then nobody's. */
  readonly recorded: boolean;
  /** What it printed. */
  readonly logPath: string;
}

/** At the same time; on a small machine more would only take turns. */
const parallelAgents = 2;

/** Gives each fork's conversation its next prompt, and waits until the agents have done it. */
export async function continueForks(
  repository: Repository,
  deps: ContinueDeps,
  prompts: readonly ForkPrompt[],
): Promise<ContinuedFork[]> {
  const results: ContinuedFork[] = [];
  const waiting = [...prompts.entries()];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      results[next[0]] = await continueFork(repository, deps, next[1]);
  };
  await Promise.all(Array.from({ length: parallelAgents }, worker));
  return results;
}

async function continueFork(
  repository: Repository,
  deps: ContinueDeps,
  { fork, prompt, more }: ForkPrompt,
): Promise<ContinuedFork> {
  const logPath = forkLogPath(repository, fork.name);
  const commands = fork.sessions.flatMap(({ tool, session }) => {
    const command = continueHeadless({ tool, session, prompt, more });
    return command === undefined ? [] : [{ ...command, session }];
  });
  // of several conversations the newest is meant
  const command = commands.at(-1);
  if (command === undefined || deps.signal.aborted)
    return { name: fork.name, prompt, code: -1, recorded: false, logPath };
  deps.files.remove(logPath);
  const contained = deps.startContained([command.program, ...command.args].map(shellQuote).join(" "), {
    cwd: fork.path,
    env: otherWorktreeEnvironment(deps.env),
    logPath,
    stdin: "",
    marker: `fork-${fork.name}-${command.session}`,
  });
  const stop = () => contained.kill();
  deps.signal.addEventListener("abort", stop, { once: true });
  const { code } = await contained.ended;
  deps.signal.removeEventListener("abort", stop);
  const { session } = command;
  const recorded = readSessionState(deps, repository, session) !== undefined;
  return { name: fork.name, prompt, session, code, recorded, logPath };
}
