import { basename, dirname, join, relative } from "node:path";
import type { FileState } from "../../base/file-change.ts";
import type { Git } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { readWorkTreeFile } from "../setup/work-tree-file.ts";

/** A settings file of Claude Code as it is found. */
export interface SettingsSituation {
  readonly scope: "personal" | "shared";
  readonly path: string;
  /** From the top of its work tree. */
  readonly workTreePath: string;
  readonly state: FileState;
  /** True if git tracks the file. */
  readonly committed: boolean;
}

const personalName = join(".claude", "settings.local.json");
const sharedName = join(".claude", "settings.json");

/**
 * The settings that matter here. Claude Code takes the personal ones from the main work tree, also when it works in
 * a subfolder or a linked worktree; a linked worktree's own are read besides, if they are there.
 */
export async function readSettingsSituations(git: Git, files: Files): Promise<SettingsSituation[]> {
  const { repository } = git;
  const workTree = repository.workTree ?? repository.gitDir;
  const main = mainWorkTree(repository, files) ?? workTree;
  const situations = [await readSituation(git, files, { workTree: main, scope: "personal" })];
  if (main !== workTree) {
    const own = await readSituation(git, files, { workTree, scope: "personal" });
    if (own.state.kind !== "absent") situations.push(own);
  }
  situations.push(await readSituation(git, files, { workTree, scope: "shared" }));
  return situations;
}

async function readSituation(
  git: Git,
  files: Files,
  { workTree, scope }: { readonly workTree: string; readonly scope: "personal" | "shared" },
): Promise<SettingsSituation> {
  const workTreePath = scope === "personal" ? personalName : sharedName;
  const path = join(workTree, workTreePath);
  // the index of this worktree answers for the main one too: a file is committed in both or about to be
  const tracked = await git.run(["ls-files", "-z", "--", relative(workTree, path)]);
  return {
    scope,
    path,
    workTreePath,
    state: readWorkTreeFile(workTree, path, files),
    committed: tracked.stdout.length > 0,
  };
}

/** The first work tree of a repository, seen from a linked one; undefined if there is none (a bare repository). */
function mainWorkTree(repository: Repository, files: Files): string | undefined {
  if (repository.gitDir === repository.commonDir) return repository.workTree;
  const folder = dirname(repository.commonDir);
  const isMain = basename(repository.commonDir) === ".git" && files.statIfExists(folder)?.kind === "folder";
  return isMain ? folder : undefined;
}
