import { KeyframeError } from "../base/errors.ts";
import type {
  Processes,
  ProcessOptions,
  ProcessResult,
  RunningProcess,
} from "../system/process/processes.ts";
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

export interface GitOptions extends Pick<ProcessOptions, "stdin" | "signal" | "timeoutMs" | "env"> {
  readonly okCodes?: readonly number[];
}

export function openGit(
  repository: Repository,
  processes: Processes,
  env: NodeJS.ProcessEnv = process.env,
): Git {
  const cwd = repository.workTree ?? repository.gitDir;
  const cleanEnv = gitEnvironment(env);
  // the folder is named outright: `safe.bareRepository` and odd work trees cannot hide it
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

/**
 * The environment for our own git calls. Inside a hook, git points its variables at the running command (a temporary
 * index, a prefix): ours must see the repository itself. Locks that are only an optimisation are not taken.
 */
export function gitEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const clean: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(env)) if (!hookVariables.has(name)) clean[name] = value;
  return { ...clean, GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C", GIT_TERMINAL_PROMPT: "0" };
}

const hookVariables = new Set([
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_PREFIX",
  "GIT_EDITOR",
  "GIT_REFLOG_ACTION",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_LITERAL_PATHSPECS",
  "GIT_GLOB_PATHSPECS",
  "GIT_NOGLOB_PATHSPECS",
  "GIT_ICASE_PATHSPECS",
  "GIT_EXTERNAL_DIFF",
  "GIT_DIFF_OPTS",
]);

export function gitFailed(
  args: readonly string[],
  result: Pick<ProcessResult, "code" | "signal" | "stderr">,
): KeyframeError {
  const why =
    result.stderr.trim() || (result.signal ? `killed by ${result.signal}` : `exit code ${result.code}`);
  return new KeyframeError("program-failed", `git ${args[0]} failed: ${why.slice(0, 2000)}`);
}
