import { KeyframeError } from "../base/errors.ts";
import type {
  Processes,
  ProcessOptions,
  ProcessResult,
  RunningProcess,
} from "../system/process/processes.ts";
import { gitEnvironment } from "./git-environment.ts";
import type { Repository } from "./repository.ts";

/** The git program, bound to one repository. A failed command is `program-failed` with git's own words. */
export interface Git {
  readonly repository: Repository;
  /** Runs a command; non-zero exit is an error unless `okCodes` holds it. */
  run(args: readonly string[], options?: GitOptions): Promise<ProcessResult>;
  /** Standard output as text, without its last newline. */
  text(args: readonly string[], options?: GitOptions): Promise<string>;
  start(args: readonly string[], options?: Pick<ProcessOptions, "env">): RunningProcess;
}

export interface GitOptions
  extends Pick<ProcessOptions, "stdin" | "signal" | "timeoutMs" | "env" | "maxOutputBytes"> {
  readonly okCodes?: readonly number[];
}

export function openGit(
  repository: Repository,
  processes: Processes,
  env: NodeJS.ProcessEnv = process.env,
): Git {
  const cwd = repository.workTree ?? repository.gitDir;
  const cleanEnv = gitEnvironment(env);
  // named outright, so that odd work trees cannot hide it; whether to trust it was decided where it was found
  const prefix = ["--git-dir", repository.gitDir];
  if (repository.workTree !== undefined) prefix.push("--work-tree", repository.workTree);
  async function run(args: readonly string[], options: GitOptions = {}): Promise<ProcessResult> {
    const { okCodes = [0], ...processOptions } = options;
    const result = await processes.run("git", [...prefix, ...args], {
      cwd,
      ...processOptions,
      env: { ...cleanEnv, ...options.env },
    });
    if (!okCodes.includes(result.code)) throw gitFailed(args, result);
    return result;
  }
  return {
    repository,
    run,
    text: async (args, options) => (await run(args, options)).stdout.toString("utf8").replace(/\n$/, ""),
    start: (args, options = {}) =>
      processes.start("git", [...prefix, ...args], { cwd, env: { ...cleanEnv, ...options.env } }),
  };
}

export function gitFailed(
  args: readonly string[],
  result: Pick<ProcessResult, "code" | "signal" | "stderr">,
): KeyframeError {
  const why =
    result.stderr.trim() || (result.signal ? `killed by ${result.signal}` : `exit code ${result.code}`);
  return new KeyframeError("program-failed", `git ${args[0]} failed: ${why.slice(0, 2000)}`);
}
