import { dirname, join } from "node:path";
import type { Git } from "../../git/git.ts";
import type { RepoPath } from "../../git/ids.ts";
import { excludedByUs } from "../../git/worktree/exclude.ts";
import type { CopyTree } from "../../system/files/copy-tree.ts";
import type { Files } from "../../system/files/files.ts";

/** Names ignored files that a new worktree needs, in the syntax of gitignore: shared by several agents. */
const includeFile = ".worktreeinclude";

/**
 * Paths that a fork needs beside its moment's files: the agents' personal settings, which hold the hooks, and the ignored
 * files that `.worktreeinclude` names. Directories are named once.
 */
export async function listPersonalPaths(git: Git, files: Files): Promise<RepoPath[]> {
  const { repository } = git;
  const top = repository.workTree ?? "";
  const text = files.readIfExists(join(repository.commonDir, "info", "exclude"))?.toString("utf8") ?? "";
  const settings = excludedByUs(text).filter((path) => files.statIfExists(join(top, path))?.kind === "file");
  return [...new Set([...settings, ...(await listIncluded(git, files))])] as RepoPath[];
}

/** The ignored files and directories that `.worktreeinclude` names. */
export async function listIncluded(git: Git, files: Files): Promise<string[]> {
  const path = join(git.repository.workTree ?? "", includeFile);
  if (files.statIfExists(path)?.kind !== "file") return [];
  const list = async (...from: readonly string[]) => {
    const args = ["ls-files", "-z", "--others", "--ignored", "--directory", ...from];
    return (await git.text(args)).split("\0").filter(Boolean);
  };
  const [wanted, ignored] = await Promise.all([list(`--exclude-from=${path}`), list("--exclude-standard")]);
  // what is wanted and not ignored is untracked, and a part of the moment
  const isIgnored = (each: string) =>
    ignored.some((other) => each === other || (other.endsWith("/") && each.startsWith(other)));
  return wanted.filter(isIgnored).map((each) => each.replace(/\/$/, ""));
}

/**
 * Copies the paths from one worktree to another; what the other has already stays, and nothing is written through a link
 * that the other's commit has on the way. Returns what was copied.
 */
export function copyPersonalPaths(
  deps: { readonly files: Files; readonly copyTree: CopyTree },
  paths: readonly RepoPath[],
  { from, to }: { readonly from: string; readonly to: string },
): RepoPath[] {
  const { files, copyTree } = deps;
  return paths.filter((path) => {
    const kind = files.statIfExists(join(from, path))?.kind;
    // a pipe would be waited for
    if (kind === undefined || kind === "other") return false;
    if (files.statIfExists(join(to, path)) !== undefined) return false;
    if (leadsThroughLink(files, { top: to, path })) return false;
    files.makeFolder(dirname(join(to, path)));
    copyTree(join(from, path), join(to, path));
    return true;
  });
}

function leadsThroughLink(
  files: Files,
  { top, path }: { readonly top: string; readonly path: RepoPath },
): boolean {
  const parts = path.split("/").slice(0, -1);
  return parts.some((_, at) => files.statIfExists(join(top, ...parts.slice(0, at + 1)))?.kind === "symlink");
}
