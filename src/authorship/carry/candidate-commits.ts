import { join, relative } from "node:path";
import type { Git } from "../../git/git.ts";
import { isNullOid, type Oid } from "../../git/ids.ts";
import { headLogPath, readMovesSince } from "../../git/refs/reflog.ts";
import { isRecordRef, parseTips, tipsArguments } from "../../git/refs/tips.ts";
import { listWorktrees } from "../../git/worktree/worktrees.ts";
import type { Files } from "../../system/files/files.ts";

/** Refs whose tips may hold what another commit was made from, the latest first. */
const maxRefs = 100;
/** Commits that a reflog says a ref was moved away from. */
const maxLeft = 40;
/** Branches whose reflogs are read. */
const maxBranchLogs = 100;

/**
 * Commits that may hold content which then came elsewhere: tips of branches, remote branches, pull requests and stashes,
 * and what HEADs and branches were moved away from, the latest first.
 */
export async function listCandidateCommits(git: Git, files: Files): Promise<Oid[]> {
  const args = tipsArguments(maxRefs, "refs/pull", "refs/merge-requests", "refs/stash");
  const tips = parseTips(await git.text(args));
  return [...new Set([...tips, ...listLeft(git, files)])];
}

function listLeft({ repository }: Git, files: Files): Oid[] {
  const heads = listWorktrees(repository, files).map((worktree) => headLogPath(worktree));
  const logs = join(repository.commonDir, "logs");
  const branches = listFiles(join(logs, "refs", "heads"), files).filter(
    (path) => !isRecordRef(relative(logs, path)),
  );
  return [...heads, ...branches].flatMap((path) => {
    const moves = readMovesSince(files, path, 0).reverse();
    return moves
      .map(({ from }) => from)
      .filter((oid) => !isNullOid(oid))
      .slice(0, maxLeft);
  });
}

function listFiles(folder: string, files: Files): string[] {
  const found: string[] = [];
  const folders = [folder];
  for (let at = 0; at < folders.length && found.length < maxBranchLogs; at += 1) {
    for (const { name, kind } of files.listIfExists(folders[at] ?? "") ?? []) {
      if (kind === "folder") folders.push(join(folders[at] ?? "", name));
      else if (kind === "file") found.push(join(folders[at] ?? "", name));
    }
  }
  return found.slice(0, maxBranchLogs);
}
