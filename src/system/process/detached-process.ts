import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf } from "../files/files.ts";

export interface DetachedProcess {
  readonly pid: number;
  /** Resolves with the exit code while this process watches; the detached one does not keep it alive. */
  readonly exited: Promise<number>;
}

export interface DetachedOptions {
  /** Standard output and error are appended here. */
  readonly logPath: string;
  readonly cwd: string;
  /** The whole environment; this process's by default. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a program in a session of its own: it goes on when this process ends or its terminal is closed. */
export function startDetached(
  program: string,
  args: readonly string[],
  options: DetachedOptions,
): Promise<DetachedProcess> {
  const log = openSync(options.logPath, "a", 0o600);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const exited = new Promise<number>((ended) => child.once("exit", (code) => ended(code ?? -1)));
    child.once("error", (error) => {
      const missing = errnoOf(error) === "ENOENT";
      reject(
        new KeyframeError(
          missing ? "program-missing" : "io-failed",
          `cannot start ${program}: ${error.message}`,
          {
            ...(missing ? { hint: `install ${program} and make sure it is on your PATH` } : {}),
            cause: error,
          },
        ),
      );
    });
    child.once("spawn", () => {
      child.unref();
      resolve({ pid: child.pid ?? -1, exited });
    });
  });
}
