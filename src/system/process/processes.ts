import type { ChildProcess, ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf } from "../files/files.ts";

export interface ProcessOptions {
  readonly cwd?: string;
  /** The whole environment of the child; the parent's by default. */
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: Uint8Array | string;
  readonly timeoutMs?: number;
  /** Standard output beyond this is an error `too-large`; 1 GiB by default. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
}

export interface ProcessResult {
  /** Exit code; 128 + signal number is not used: see `signal`. */
  readonly code: number;
  readonly signal: string | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface AttachedProcess {
  /** Undefined where the child reads the terminal itself. */
  readonly stdin: Writable | undefined;
  readonly exited: Promise<{ readonly code: number; readonly signal: string | undefined }>;
}

export interface RunningProcess {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the process has ended and its output is closed. */
  readonly exited: Promise<{ readonly code: number; readonly signal: string | undefined }>;
  kill(signal?: NodeJS.Signals): void;
}

/**
 * Programs. A program that cannot be started is `program-missing`; one that outlives `timeoutMs` is killed and is
 * `timed-out`. A non-zero exit is a result here, not an error: the caller knows what it means.
 */
export interface Processes {
  run(program: string, args: readonly string[], options?: ProcessOptions): Promise<ProcessResult>;
  runSync(program: string, args: readonly string[], options?: Omit<ProcessOptions, "signal">): ProcessResult;
  start(
    program: string,
    args: readonly string[],
    options?: Pick<ProcessOptions, "cwd" | "env">,
  ): RunningProcess;
  /** Starts a program that writes where we write: a pager (with a pipe to feed it), or one that replaces our output. */
  attach(program: string, args: readonly string[], options: AttachOptions): AttachedProcess;
}

export interface AttachOptions extends Pick<ProcessOptions, "cwd" | "env"> {
  readonly stdin: "pipe" | "inherit";
}

/** Loaded when first used: it costs a hook, which seldom starts a program, as much as all of its own code. */
function childProcess() {
  return process.getBuiltinModule("node:child_process");
}

const defaultMaxOutputBytes = 1024 * 1024 * 1024;
const maxErrorTextBytes = 1024 * 1024;

export const nodeProcesses: Processes = {
  async run(program, args, options = {}) {
    const child = startChild(program, args, options);
    const stdout: Buffer[] = [];
    let stdoutBytes = 0;
    let stderr = "";
    let failure: KeyframeError | undefined;
    const fail = (error: KeyframeError) => {
      failure ??= error;
      child.kill("SIGKILL");
    };
    child.stdout.on("data", (piece: Buffer) => {
      stdoutBytes += piece.length;
      const limit = options.maxOutputBytes ?? defaultMaxOutputBytes;
      if (stdoutBytes > limit) {
        fail(new KeyframeError("too-large", `${program} printed more than ${limit} bytes`));
      } else stdout.push(piece);
    });
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      if (stderr.length < maxErrorTextBytes) stderr += piece;
    });
    // a program may end before it has read its input (EPIPE): its exit code tells the story
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.stdin ?? "");
    const onAbort = () => fail(new KeyframeError("timed-out", `${program} was cancelled`));
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => fail(timedOut(program, options.timeoutMs)), options.timeoutMs);
    try {
      const { code, signal } = await childExit(child, program);
      if (failure !== undefined) throw failure;
      return { code, signal, stdout: Buffer.concat(stdout), stderr };
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
    }
  },

  runSync(program, args, options = {}) {
    const result = childProcess().spawnSync(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      input: options.stdin ?? "",
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: options.maxOutputBytes ?? defaultMaxOutputBytes,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const errno = errnoOf(result.error);
    if (errno === "ENOENT") throw programMissing(program, result.error);
    if (errno === "ETIMEDOUT") throw timedOut(program, options.timeoutMs);
    if (errno === "ENOBUFS")
      throw new KeyframeError("too-large", `${program} printed too much`, { cause: result.error });
    if (result.error !== undefined && errno !== "EPIPE") {
      throw new KeyframeError("io-failed", `cannot run ${program}: ${result.error.message}`, {
        cause: result.error,
      });
    }
    return {
      code: result.status ?? 1,
      signal: result.signal ?? undefined,
      stdout: result.stdout,
      stderr: result.stderr.toString("utf8"),
    };
  },

  attach(program, args, { stdin, ...options }) {
    const child = childProcess().spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [stdin, "inherit", "inherit"],
    });
    const exited = childExit(child, program);
    exited.catch(() => undefined);
    return { stdin: child.stdin ?? undefined, exited };
  },

  start(program, args, options = {}) {
    const child = startChild(program, args, options);
    const exited = childExit(child, program);
    // the caller may look at `exited` late; a failed start is reported there and must not crash the process before
    exited.catch(() => undefined);
    return {
      pid: child.pid ?? -1,
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      exited,
      kill: (signal = "SIGTERM") => void child.kill(signal),
    };
  },
};

type AnyChild = Pick<ChildProcess, "once">;
type PipedChild = ChildProcessByStdio<Writable, Readable, Readable>;

function startChild(
  program: string,
  args: readonly string[],
  options: Pick<ProcessOptions, "cwd" | "env">,
): PipedChild {
  return childProcess().spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["pipe", "pipe", "pipe"],
  });
}

function childExit(child: AnyChild, program: string): Promise<{ code: number; signal: string | undefined }> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      reject(
        errnoOf(error) === "ENOENT"
          ? programMissing(program, error)
          : new KeyframeError("io-failed", `cannot run ${program}: ${error.message}`, { cause: error }),
      );
    });
    child.once("close", (code, signal) => resolve({ code: code ?? 1, signal: signal ?? undefined }));
  });
}

function programMissing(program: string, cause: unknown): KeyframeError {
  return new KeyframeError("program-missing", `cannot find the program ${program}`, {
    hint: `install ${program} and make sure it is on your PATH`,
    cause,
  });
}

function timedOut(program: string, timeoutMs: number | undefined): KeyframeError {
  return new KeyframeError("timed-out", `${program} did not end within ${timeoutMs} ms`);
}
