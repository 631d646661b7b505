import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { parseRepoPath, type RepoPath } from "../../git/ids.ts";
import { lookForRepository, type Repository } from "../../git/repository.ts";
import type { TrustDeps } from "../../git/repository-trust.ts";
import { isSwitchedOn } from "../../state/switch.ts";
import type { Files } from "../../system/files/files.ts";

export type LocatedPath =
  | {
      readonly kind: "inside";
      readonly repository: Repository;
      readonly path: RepoPath;
      readonly absolute: string;
    }
  /** In no repository: nothing of ours. */
  | { readonly kind: "outside" }
  | { readonly kind: "refused"; readonly why: string };

const maxPathBytes = 4096;

/**
 * Where a path from a hook payload lies. Trusted only if it names a file of the work tree that the agent works in (or
 * of a linked worktree or submodule of it), or of a repository in which Keyframe is enabled, not in `.git`. A symlinked directory on the way counts as the place that it
 * leads to: git knows the file by that one. `absolute` stays as the payload spells it.
 */
export function locatePath(text: string, cwd: string, deps: TrustDeps): LocatedPath {
  const { files } = deps;
  if (text.includes("\0") || Buffer.byteLength(text) > maxPathBytes)
    return refused(text, "is not a usable path");
  if (!isAbsolute(text)) return refused(text, "is not absolute");
  const absolute = resolve(text);
  const folder = nearestFolder(dirname(absolute), files);
  const spelled = lookForRepository(folder, deps);
  if (spelled.kind === "none") return { kind: "outside" };
  if (spelled.kind === "refused") return refused(text, `lies where ${spelled.error.message}`);
  if (spelled.repository.workTree === undefined) return refused(text, "lies inside a git directory");
  const realTree = files.realPathIfExists(spelled.repository.workTree);
  const realFolder = files.realPathIfExists(folder);
  if (realTree === undefined || realFolder === undefined) return refused(text, "cannot be resolved");
  const isStraight = relative(realTree, realFolder) === relative(spelled.repository.workTree, folder);
  const found = isStraight ? spelled : lookForRepository(realFolder, deps);
  if (found.kind === "none") return refused(text, "is reached through a symlink that leaves the repository");
  if (found.kind === "refused") return refused(text, `lies where ${found.error.message}`);
  const { repository } = found;
  const { workTree } = repository;
  if (workTree === undefined) return refused(text, "lies inside a git directory");
  const real = isStraight ? absolute : join(realFolder, relative(folder, absolute));
  const inTree = relative(workTree, real);
  if (inTree === "" || inTree === ".." || inTree.startsWith(`..${sep}`))
    return refused(text, "is not a file of the work tree");
  if (inTree.split(sep).includes(".git")) return refused(text, "lies inside a git directory");
  // a repository that was enabled takes part wherever the agent was started
  if (!isSameTree(repository, cwd, deps) && !isSwitchedOn(repository, files))
    return refused(text, "belongs to another repository than the agent's directory");
  return { kind: "inside", repository, path: parseRepoPath(inTree.split(sep).join("/")), absolute };
}

function refused(text: string, why: string): LocatedPath {
  return { kind: "refused", why: `${JSON.stringify(text.slice(0, 300))} ${why}` };
}

function nearestFolder(folder: string, files: Files): string {
  while (files.statTargetIfExists(folder)?.kind !== "folder" && dirname(folder) !== folder)
    folder = dirname(folder);
  return folder;
}

/** A working directory in no repository at all (an agent started above several) restricts nothing. */
function isSameTree(repository: Repository, cwd: string, deps: TrustDeps): boolean {
  const found = lookForRepository(nearestFolder(resolve(cwd), deps.files), deps);
  if (found.kind !== "found") return found.kind === "none";
  const home = found.repository;
  if (home.commonDir === repository.commonDir) return true;
  // one of them may be spelled through a symlink
  const real = (path: string) => deps.files.realPathIfExists(path) ?? path;
  const [its, homes] = [real(repository.commonDir), real(home.commonDir)];
  // those of a linked worktree lie in its own git directory
  const isSubmodule = (inner: string, outer: string) =>
    inner.startsWith(outer + sep) && /^(?:worktrees\/[^/]+\/)?modules\//.test(inner.slice(outer.length + 1));
  return its === homes || isSubmodule(its, homes) || isSubmodule(homes, its);
}
