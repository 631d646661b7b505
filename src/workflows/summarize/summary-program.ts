import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { otherWorktreeEnvironment } from "../../git/git-environment.ts";
import type { Machine } from "../../system/machine/machine.ts";
import type { ContainedOptions, ContainedProcess } from "../../system/process/contained-process.ts";
import { randomHex } from "../../system/random.ts";

export interface SummaryDeps extends Pick<Machine, "files" | "random"> {
  readonly env: NodeJS.ProcessEnv;
  readonly startContained: (command: string, options: ContainedOptions) => ContainedProcess;
}

/** Longer than any model takes for an answer of a few lines. */
export const summaryTimeoutMs = 120_000;
const maxAnswerBytes = 64 * 1024;
const maxErrorLength = 300;

/**
 * The shell command that the user set to make summaries. Only the user's own configuration counts: that of a repository
 * may have come with a copy of it, and would run whatever it says.
 */
export async function mustFindSummaryCommand(git: Git): Promise<string> {
  const args = ["config", "--global", "--no-includes", "--get", "keyframe.summarize"];
  const command = (await git.text(args, { okCodes: [0, 1, 128] })).trim();
  if (command !== "") return command;
  throw new KeyframeError("usage", "no command for summaries is set", {
    hint: "set one that reads a conversation and prints a summary: `git config --global keyframe.summarize '<command>'`",
  });
}

/**
 * Runs the command with a conversation on its standard input, in an empty directory, and ends whatever it leaves behind.
 * @throws KeyframeError `program-failed`, `timed-out`
 */
export async function runSummaryCommand(
  deps: SummaryDeps,
  command: string,
  { conversation, timeoutMs }: { readonly conversation: string; readonly timeoutMs: number },
): Promise<string> {
  const { files } = deps;
  const directory = files.makeTemporaryFolder("keyframe-summary-");
  const logPath = join(directory, "answer");
  const errorPath = join(directory, "errors");
  const place = join(directory, "empty");
  try {
    files.makeFolder(place);
    const { ended } = deps.startContained(`(${command}\n) 2>../errors`, {
      cwd: place,
      env: otherWorktreeEnvironment(deps.env),
      logPath,
      stdin: conversation,
      marker: randomHex(deps.random, 16),
      timeoutMs,
    });
    const { code, timedOut } = await ended;
    if (timedOut) {
      throw new KeyframeError(
        "timed-out",
        `the command of keyframe.summarize did not end within ${timeoutMs / 1000} s`,
      );
    }
    if (code === 0) return readStart(deps, logPath);
    const why = readStart(deps, errorPath).trim().slice(0, maxErrorLength);
    throw new KeyframeError(
      "program-failed",
      `the command of keyframe.summarize ended with ${code}${why === "" ? "" : `: ${why}`}`,
    );
  } finally {
    files.removeTree(directory);
  }
}

function readStart({ files }: SummaryDeps, path: string): string {
  if (files.statIfExists(path)?.kind !== "file") return "";
  for (const chunk of files.readChunks(path, { chunkBytes: maxAnswerBytes })) return chunk.toString("utf8");
  return "";
}
