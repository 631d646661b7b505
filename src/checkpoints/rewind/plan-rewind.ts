import { dirname, join } from "node:path";
import type { Git } from "../../git/git.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import { parseRawDiff } from "../../git/worktree/staged-changes.ts";
import type { Files } from "../../system/files/files.ts";

/** What happens to one path of the work tree. */
export interface FileStep {
  readonly path: RepoPath;
  readonly action: "write" | "remove";
}

export interface FilePlan {
  readonly steps: readonly FileStep[];
  /** Paths that differ and stay as they are, and why. */
  readonly kept: readonly { readonly path: RepoPath; readonly why: string }[];
}

export interface TreeMove {
  /** The tree that the work tree has now. */
  readonly from: Oid;
  readonly to: Oid;
  /** True where the target knows nothing of untracked files: those are kept. */
  readonly keepsUntracked: boolean;
}

/**
 * What must change in the work tree to become another tree: only files that differ. Ignored files and submodules are
 * left alone, and what stands in the way of a file without being in the snapshot is not removed for it.
 */
export async function planFiles(git: Git, files: Files, move: TreeMove): Promise<FilePlan> {
  const args = ["diff-tree", "-r", "--raw", "-z", "--no-renames", "--abbrev=64", move.from, move.to];
  const changes = parseRawDiff((await git.run(args)).stdout);
  const all = changes.flatMap(({ oldPath, newPath }) => newPath ?? oldPath ?? []);
  const [ignored, tracked] = await Promise.all([
    listIgnored(git, all),
    move.keepsUntracked ? listTracked(git) : undefined,
  ]);
  const steps: FileStep[] = [];
  const kept: { path: RepoPath; why: string }[] = [];
  const removed = new Set(
    changes.flatMap(({ oldPath, newPath }) => (newPath === undefined && oldPath ? [oldPath] : [])),
  );
  for (const { oldPath, newPath, newMode } of changes) {
    const path = newPath ?? oldPath;
    if (path === undefined) continue;
    const why = ignored.has(path)
      ? "ignored"
      : newMode === "160000"
        ? "a submodule"
        : newPath === undefined && tracked !== undefined && !tracked.has(path)
          ? "untracked"
          : newPath === undefined
            ? undefined
            : obstacleOf(git, files, { path, removed });
    if (why !== undefined) kept.push({ path, why });
    else steps.push({ path, action: newPath === undefined ? "remove" : "write" });
  }
  // what is removed makes room for what is written
  steps.sort((a, b) => (a.action === b.action ? (a.path < b.path ? -1 : 1) : a.action === "remove" ? -1 : 1));
  return { steps, kept };
}

async function listIgnored(git: Git, paths: readonly RepoPath[]): Promise<Set<string>> {
  if (paths.length === 0) return new Set();
  const { stdout } = await git.run(["check-ignore", "-z", "--stdin"], {
    stdin: paths.map((path) => `${path}\0`).join(""),
    okCodes: [0, 1],
  });
  return new Set(stdout.toString("utf8").split("\0"));
}

async function listTracked(git: Git): Promise<Set<string>> {
  const { stdout } = await git.run(["ls-files", "-z"]);
  return new Set(stdout.toString("utf8").split("\0"));
}

/** What git would have to remove to write a path, where that is not part of the plan. */
function obstacleOf(
  git: Git,
  files: Files,
  { path, removed }: { readonly path: RepoPath; readonly removed: ReadonlySet<string> },
): string | undefined {
  const top = git.repository.workTree ?? "";
  for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
    const stat = files.statIfExists(join(top, folder));
    if (stat !== undefined && stat.kind !== "folder" && !removed.has(folder))
      return `${folder} is in the way`;
  }
  if (files.statIfExists(join(top, path))?.kind !== "folder") return undefined;
  return holdsOnly(files, { top, folder: path, removed })
    ? undefined
    : "a directory with other files is in the way";
}

function holdsOnly(
  files: Files,
  {
    top,
    folder,
    removed,
  }: { readonly top: string; readonly folder: string; readonly removed: ReadonlySet<string> },
): boolean {
  return (files.listIfExists(join(top, folder)) ?? []).every(({ name, kind }) =>
    kind === "folder"
      ? holdsOnly(files, { top, folder: `${folder}/${name}`, removed })
      : removed.has(`${folder}/${name}`),
  );
}
