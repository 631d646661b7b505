import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { decodePath, encodePath } from "../../base/path-text.ts";
import type { Files } from "../../system/files/files.ts";
import type { Processes, ProcessResult } from "../../system/process/processes.ts";
import { gitEnvironment } from "../git-environment.ts";
import { isOid, type RepoPath } from "../ids.ts";
import type { Repository } from "../repository.ts";

/** A git command for hooks, which have no event loop to wait in. A non-zero exit is a result. */
export function runGitSync(
  repository: Repository,
  processes: Processes,
  args: readonly string[],
  stdin: string | Uint8Array = "",
): ProcessResult {
  const where = ["--git-dir", repository.gitDir];
  if (repository.workTree !== undefined) where.push("--work-tree", repository.workTree);
  return processes.runSync("git", [...where, ...args], {
    cwd: repository.workTree ?? repository.gitDir,
    env: gitEnvironment(process.env),
    stdin,
    timeoutMs: syncTimeoutMs,
  });
}

const syncTimeoutMs = 20_000;

/**
 * Paths of the work tree that differ from HEAD or are new, ignored ones left out. Submodules are not entered.
 */
export function listDirtyPaths(
  repository: Repository,
  deps: { readonly processes: Processes; readonly files: Files },
): RepoPath[] {
  const args = [
    "status",
    "--porcelain=v1",
    "-z",
    hidesUntracked(repository, deps) ? "--untracked-files=no" : "--untracked-files=all",
    "--no-renames",
    "--ignore-submodules=all",
  ];
  const result = runGitSync(repository, deps.processes, args);
  if (result.code !== 0) {
    throw new KeyframeError("program-failed", `git status failed: ${result.stderr.trim().slice(0, 500)}`);
  }
  const paths: RepoPath[] = [];
  for (const entry of splitZero(result.stdout)) {
    const path = decodePath(entry.subarray(3));
    // an untracked nested repository is shown as a directory
    if (path !== "" && !path.endsWith("/")) paths.push(path as RepoPath);
  }
  return paths;
}

/**
 * True if the repository's own configuration says that new files are not to be looked for: the work tree of a dotfiles
 * repository is a whole home. The file is looked into first, since most have no such line.
 */
function hidesUntracked(
  repository: Repository,
  { processes, files }: { readonly processes: Processes; readonly files: Files },
): boolean {
  const config = files.readIfExists(join(repository.commonDir, "config"))?.toString("latin1") ?? "";
  if (!/showuntrackedfiles/i.test(config)) return false;
  const asked = runGitSync(repository, processes, ["config", "--get", "status.showUntrackedFiles"]);
  return /^(?:no|false|off|0)$/i.test(asked.stdout.toString("latin1").trim());
}

/** Contents of `<commit>:<path>` for many paths by one process; null where the commit has no such file. */
export function readCommittedSync(
  repository: Repository,
  processes: Processes,
  { commit, paths }: { readonly commit: string; readonly paths: readonly RepoPath[] },
): Map<RepoPath, Buffer | null> {
  const contents = new Map<RepoPath, Buffer | null>();
  for (const path of paths) contents.set(path, null);
  if (paths.length === 0 || !isOid(commit)) return contents;
  // a name with a newline needs git 2.38; without one, older versions do
  const hasNewline = paths.some((path) => path.includes("\n"));
  const names = paths.map((path) => encodePath(`${commit}:${path}`));
  const end = Buffer.from(hasNewline ? "\0" : "\n");
  const args = ["cat-file", "--batch", ...(hasNewline ? ["-z"] : [])];
  const input = Buffer.concat(names.flatMap((name) => [name, end]));
  const result = runGitSync(repository, processes, args, input);
  if (result.code !== 0) {
    throw new KeyframeError("program-failed", `git cat-file failed: ${result.stderr.trim().slice(0, 500)}`);
  }
  let at = 0;
  for (const [index, path] of paths.entries()) {
    const missing = Buffer.concat([names[index] ?? Buffer.alloc(0), Buffer.from(" missing\n")]);
    if (result.stdout.subarray(at, at + missing.length).equals(missing)) {
      at += missing.length;
      continue;
    }
    const end = result.stdout.indexOf(0x0a, at);
    const [oid = "", type, size] = result.stdout.toString("utf8", at, end).split(" ");
    at = end + 1;
    if (!isOid(oid) || size === undefined) continue;
    if (type === "blob") contents.set(path, result.stdout.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
  return contents;
}

/** Of these paths the untracked ones that git's ignore rules leave out. */
export function listIgnoredSync(
  repository: Repository,
  processes: Processes,
  paths: readonly RepoPath[],
): RepoPath[] {
  const args = ["check-ignore", "-z", "--stdin"];
  const result = runGitSync(
    repository,
    processes,
    args,
    encodePath(paths.map((path) => `${path}\0`).join("")),
  );
  // 1: none of them is
  if (result.code > 1) {
    throw new KeyframeError(
      "program-failed",
      `git check-ignore failed: ${result.stderr.trim().slice(0, 500)}`,
    );
  }
  return decodePath(result.stdout).split("\0").filter(Boolean) as RepoPath[];
}

function* splitZero(bytes: Buffer): Generator<Buffer> {
  let start = 0;
  for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}
