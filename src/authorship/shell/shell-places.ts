import { dirname, join, relative, resolve } from "node:path";
import { findRepository, type Repository } from "../../git/repository.ts";
import type { TrustDeps } from "../../git/repository-trust.ts";
import type { Files } from "../../system/files/files.ts";

/** Submodules that every shell call is looked at in; of more, those that the command names. */
const maxUnnamedSubmodules = 8;
/** Git directories below `modules` that are looked at. */
const maxSubmodules = 200;

interface ShellPlace {
  readonly repository: Repository;
  readonly kind: "submodule" | "superproject" | "worktree";
}

/**
 * The work trees beside `home` that a shell call may write to: the repository around a submodule and submodules, which
 * are parts of one work tree to whoever uses it, and linked worktrees that the command names. What happens in an unnamed
 * worktree meanwhile is more likely someone else's work, and is not this call's.
 */
export function findShellPlaces(
  home: Repository,
  { command = "", cwd }: { readonly command?: string; readonly cwd: string },
  deps: TrustDeps,
): Repository[] {
  const places = listShellPlaces(home, deps);
  const starts = [cwd, home.workTree ?? cwd];
  const named = ({ repository: { workTree = "" } }: ShellPlace) =>
    [workTree, ...starts.map((start) => relative(start, workTree))].some((way) => isWord(command, way));
  const submodules = places.filter(({ kind }) => kind === "submodule");
  return places
    .filter(
      (place) =>
        place.kind === "superproject" ||
        (place.kind === "submodule" && submodules.length <= maxUnnamedSubmodules) ||
        named(place),
    )
    .map(({ repository }) => repository);
}

/** All of them: a call may end in another one than where it began. */
export function findAllShellPlaces(home: Repository, deps: TrustDeps): Repository[] {
  return listShellPlaces(home, deps).map(({ repository }) => repository);
}

function listShellPlaces(home: Repository, deps: TrustDeps): ShellPlace[] {
  const { files } = deps;
  const places = new Map<string, ShellPlace>();
  const add = (folder: string | undefined, kind: ShellPlace["kind"]) => {
    const found = folder === undefined ? undefined : findRepository(folder, deps);
    if (found?.workTree === undefined || found.gitDir === home.gitDir) return;
    if (found.workTree === resolve(folder ?? "")) places.set(found.gitDir, { repository: found, kind });
  };
  const top = superprojectOf(home, deps) ?? home;
  add(top.workTree, "superproject");
  for (const gitDir of listModules(join(top.gitDir, "modules"), files)) {
    add(configuredWorkTree(gitDir, files), "submodule");
  }
  for (const folder of listWorkTreeFolders(home, files)) add(folder, "worktree");
  return [...places.values()];
}

/** A submodule's objects lie in its superproject's git directory. */
function superprojectOf({ commonDir, workTree }: Repository, deps: TrustDeps): Repository | undefined {
  if (workTree === undefined || !/\/modules\//.test(commonDir)) return undefined;
  const around = findRepository(dirname(workTree), deps);
  if (around === undefined || !commonDir.startsWith(`${around.gitDir}/modules/`)) return undefined;
  return superprojectOf(around, deps) ?? around;
}

/** Git directories of submodules, those of their own submodules included. A name may hold slashes. */
function listModules(folder: string, files: Files): string[] {
  const found: string[] = [];
  for (const { name, kind } of files.listIfExists(folder) ?? []) {
    if (kind !== "folder" || found.length >= maxSubmodules) continue;
    const inner = join(folder, name);
    if (files.statIfExists(join(inner, "HEAD")) === undefined) found.push(...listModules(inner, files));
    else found.push(inner, ...listModules(join(inner, "modules"), files));
  }
  return found;
}

function configuredWorkTree(gitDir: string, files: Files): string | undefined {
  const config = files.readIfExists(join(gitDir, "config"))?.toString("utf8") ?? "";
  const configured = /^\s*worktree\s*=\s*"?(.+?)"?\s*$/m.exec(config)?.[1];
  return configured === undefined ? undefined : resolve(gitDir, configured);
}

/** The main work tree and the linked ones. */
function listWorkTreeFolders({ commonDir }: Repository, files: Files): string[] {
  const linked = join(commonDir, "worktrees");
  const pointers = (files.listIfExists(linked) ?? []).flatMap(({ name }) => {
    const pointer = files
      .readIfExists(join(linked, name, "gitdir"))
      ?.toString("utf8")
      .trim();
    return pointer === undefined || pointer === "" ? [] : [dirname(resolve(linked, name, pointer))];
  });
  return pointers.length === 0 ? [] : [...pointers, dirname(commonDir)];
}

/** True if the text has the word between characters that no file name would go on with. */
function isWord(text: string, word: string): boolean {
  if (word === "") return false;
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    const before = text[at - 1] ?? " ";
    const after = text[at + word.length] ?? " ";
    if (!/[\w.-]/.test(before) && !/[\w.-]/.test(after)) return true;
  }
  return false;
}
