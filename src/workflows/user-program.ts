import { join } from "node:path";
import { KeyframeError } from "../base/errors.ts";
import { otherWorktreeEnvironment } from "../git/git-environment.ts";
import type { Machine } from "../system/machine/machine.ts";
import type { ContainedOptions, ContainedProcess } from "../system/process/contained-process.ts";
import { randomHex } from "../system/random.ts";

export interface UserProgramDeps extends Pick<Machine, "files" | "random"> {
  readonly env: NodeJS.ProcessEnv;
  readonly startContained: (command: string, options: ContainedOptions) => ContainedProcess;
}

const maxAnswerBytes = 64 * 1024;
const maxErrorLength = 300;

export interface UserProgram {
  /** A shell command. */
  readonly command: string;
  /** What messages call it. */
  readonly what: string;
  /** For its standard input. */
  readonly input: string;
  readonly timeoutMs: number;
}

/**
 * Runs a program that the user named, in an empty directory, and ends whatever it leaves behind. Returns what it printed.
 * @throws KeyframeError `program-failed`, `timed-out`
 */
export async function runUserProgram(
  deps: UserProgramDeps,
  { command, what, input, timeoutMs }: UserProgram,
): Promise<string> {
  const { files } = deps;
  const directory = files.makeTemporaryFolder("keyframe-program-");
  const logPath = join(directory, "answer");
  const errorPath = join(directory, "errors");
  const place = join(directory, "empty");
  try {
    files.makeFolder(place);
    const { ended } = deps.startContained(`(${command}\n) 2>../errors`, {
      cwd: place,
      env: otherWorktreeEnvironment(deps.env),
      logPath,
      stdin: input,
      marker: randomHex(deps.random, 16),
      timeoutMs,
    });
    const { code, timedOut } = await ended;
    if (timedOut) {
      throw new KeyframeError("timed-out", `${what} did not end within ${timeoutMs / 1000} s`);
    }
    if (code === 0) return readStart(deps, logPath);
    const why = readStart(deps, errorPath).trim().slice(0, maxErrorLength);
    throw new KeyframeError("program-failed", `${what} ended with ${code}${why === "" ? "" : `: ${why}`}`);
  } finally {
    files.removeTree(directory);
  }
}

function readStart({ files }: UserProgramDeps, path: string): string {
  if (files.statIfExists(path)?.kind !== "file") return "";
  for (const chunk of files.readChunks(path, { chunkBytes: maxAnswerBytes })) return chunk.toString("utf8");
  return "";
}
