import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import type { Repository } from "../repository.ts";

/** The main and every linked worktree's git directory, found in files; `workTree` is known of the one that was given. */
export function listWorktrees(repository: Repository, files: Files): Repository[] {
  const { commonDir } = repository;
  const linked = join(commonDir, "worktrees");
  const gitDirs = [
    commonDir,
    ...(files.listIfExists(linked) ?? [])
      .filter(({ kind }) => kind === "folder")
      .map(({ name }) => join(linked, name)),
  ];
  return gitDirs.map((gitDir) =>
    gitDir === repository.gitDir ? repository : { gitDir, commonDir, workTree: undefined },
  );
}
