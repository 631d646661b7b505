import { KeyframeError } from "../base/errors.ts";
import { shellQuote } from "../base/text/shell-words.ts";
import type { FileStat, Files } from "../system/files/files.ts";
import { ownUserIds } from "../system/machine/machine-facts.ts";
import type { Processes } from "../system/process/processes.ts";
import { gitEnvironment } from "./git-environment.ts";

/** What deciding about a repository needs: git is asked only where owners differ or the repository is bare. */
export interface TrustDeps {
  readonly files: Files;
  readonly processes: Processes;
  /** The environment of the process by default. */
  readonly env?: NodeJS.ProcessEnv;
}

/** What was found on disk, before anything in it is believed. */
export interface Discovery {
  readonly workTree: string | undefined;
  readonly gitDir: string;
  /** The `.git` file that led to the git directory, where there is one. */
  readonly gitFile: string | undefined;
}

/**
 * Why git would not use this repository, or undefined where it would. All our git calls name the git directory outright,
 * which switches git's own checks off; so they are made here, as git makes them: work tree, git directory and `.git` file
 * belong to the user (under sudo also to who called it), else `safe.directory` must allow it, and a bare repository is
 * subject to `safe.bareRepository`. Where files alone do not decide, the git program does, with its version's rules for
 * patterns and includes, and before it reads anything that the repository says.
 */
export function whyDistrusted(discovery: Discovery, deps: TrustDeps): KeyframeError | undefined {
  const { workTree, gitDir } = discovery;
  const isPlain = workTree !== undefined || isImplicitlyBare(gitDir);
  if (isPlain && isOwnedByUser(discovery, deps)) return undefined;
  const asked = answersOf(deps.processes);
  const key = `${workTree ?? ""}\0${gitDir}`;
  let answer = asked.get(key);
  if (answer === undefined) {
    answer = { error: askGit(discovery, deps) };
    asked.set(key, answer);
  }
  return answer.error;
}

interface Answer {
  readonly error: KeyframeError | undefined;
}

/** One question per repository and run: a payload may name a hundred files of one repository. */
const answers = new WeakMap<Processes, Map<string, Answer>>();

function answersOf(processes: Processes): Map<string, Answer> {
  const known = answers.get(processes) ?? new Map<string, Answer>();
  answers.set(processes, known);
  return known;
}

/** Git takes a directory inside of `.git` for part of a repository that was already chosen. */
function isImplicitlyBare(gitDir: string): boolean {
  return gitDir.endsWith("/.git") || gitDir.includes("/.git/worktrees/") || gitDir.includes("/.git/modules/");
}

function isOwnedByUser(discovery: Discovery, { files, env = process.env }: TrustDeps): boolean {
  const owners = ownUserIds(env) ?? [];
  const isOwned = (stat: FileStat | undefined) => stat !== undefined && owners.includes(stat.userId);
  // what a symlink leads to counts for the directory, which git reaches by its real path; a symlink as `.git` is git's to judge
  const isOwnEntry = (path: string) => {
    const stat = files.statIfExists(path);
    return stat?.kind !== "symlink" && isOwned(stat);
  };
  const { workTree, gitDir, gitFile } = discovery;
  return (
    (workTree === undefined || isOwned(files.statTargetIfExists(workTree))) &&
    (gitFile === undefined || isOwnEntry(gitFile)) &&
    isOwnEntry(gitDir)
  );
}

function askGit({ workTree, gitDir }: Discovery, { files, processes, env = process.env }: TrustDeps) {
  const place = workTree ?? gitDir;
  const { code, stdout, stderr } = processes.runSync("git", ["rev-parse", "--absolute-git-dir"], {
    cwd: place,
    env: gitEnvironment(env),
    timeoutMs: gitAnswerMs,
    maxOutputBytes: 64 * 1024,
  });
  if (code === 0) {
    const found = files.realPathIfExists(stdout.toString("utf8").replace(/\n$/, ""));
    return found === files.realPathIfExists(gitDir) ? undefined : refusedOtherwise(place, stderr);
  }
  if (stderr.includes("safe.bareRepository")) return refusedBare(place);
  return stderr.includes("safe.directory") ? refusedOwner(place) : refusedOtherwise(place, stderr);
}

const gitAnswerMs = 10_000;

function refusedOwner(place: string): KeyframeError {
  return new KeyframeError(
    "refused",
    `git detected dubious ownership in the repository at ${JSON.stringify(place)}: it belongs to another user, who could have programs of their own run through its configuration`,
    { hint: `if you trust it: git config --global --add safe.directory ${shellQuote(place)}` },
  );
}

function refusedBare(place: string): KeyframeError {
  return new KeyframeError(
    "refused",
    `git cannot use the bare repository ${JSON.stringify(place)}: safe.bareRepository is 'explicit'`,
    { hint: "if you trust it, work in a clone of it, or: git config --global safe.bareRepository all" },
  );
}

function refusedOtherwise(place: string, stderr: string): KeyframeError {
  const why = stderr.trim().slice(0, 500) || "it takes another directory for the git directory";
  return new KeyframeError("refused", `git does not use the repository at ${JSON.stringify(place)}: ${why}`, {
    hint: `see what git says: git -C ${shellQuote(place)} status`,
  });
}
