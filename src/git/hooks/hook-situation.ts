import { isAbsolute, join, relative, resolve } from "node:path";
import type { FileState } from "../../base/file-change.ts";
import { readFileState } from "../../system/files/file-changes.ts";
import type { Files } from "../../system/files/files.ts";
import type { Git } from "../git.ts";
import { chainedFolder } from "./hook-block.ts";
import { type GitHook, gitHooks } from "./hook-names.ts";

/**
 * Whose a hook's place is: the repository's own (`.git/hooks`, or a directory of the work tree that git ignores or knows
 * nothing of), `committed` (git tracks the file), or `shared` with other repositories (`core.hooksPath` outside).
 */
export type HookPlace = "own" | "committed" | "shared";

/** One hook as it is found. */
export interface HookSituation {
  readonly hook: GitHook;
  readonly path: string;
  readonly place: HookPlace;
  readonly state: FileState;
  /** Where other tools move a hook that was there before them: pre-commit and lefthook. */
  readonly movedAside: readonly { readonly path: string; readonly state: FileState }[];
  readonly chainedPath: string;
  readonly chained: FileState;
  /** For a place of its own inside the work tree: the path from its top, which git should not show as new. */
  readonly workTreePath?: string;
}

/** Looks at every hook where git would look for it. */
export async function readHookSituations(git: Git, files: Files): Promise<HookSituation[]> {
  const { workTree, gitDir, commonDir } = git.repository;
  const folder = resolve(workTree ?? gitDir, await git.text(["rev-parse", "--git-path", "hooks"]));
  const inWorkTree = workTree !== undefined && isInside(folder, workTree) && !isInside(folder, commonDir);
  const tracked = inWorkTree ? await trackedHooks(git, folder) : new Set<string>();
  return gitHooks.map((hook) => {
    const path = join(folder, hook.name);
    const chainedPath = join(folder, chainedFolder, hook.name);
    const place = tracked.has(path)
      ? "committed"
      : inWorkTree || isInside(folder, commonDir)
        ? "own"
        : "shared";
    return {
      hook,
      path,
      place,
      state: readFileState(path, files),
      movedAside: ["legacy", "old"].map((suffix) => ({
        path: `${path}.${suffix}`,
        state: readFileState(`${path}.${suffix}`, files),
      })),
      chainedPath,
      chained: readFileState(chainedPath, files),
      ...(inWorkTree && place === "own" ? { workTreePath: relative(workTree, path) } : {}),
    };
  });
}

async function trackedHooks(git: Git, folder: string): Promise<Set<string>> {
  const { workTree } = git.repository;
  if (workTree === undefined) return new Set();
  const paths = gitHooks.map((hook) => relative(workTree, join(folder, hook.name)));
  const { stdout } = await git.run(["ls-files", "-z", "--", ...paths]);
  const names = stdout
    .toString("utf8")
    .split("\0")
    .filter((name) => name !== "");
  return new Set(names.map((name) => join(workTree, name)));
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith("../") && !isAbsolute(way);
}
