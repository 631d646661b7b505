import { join } from "node:path";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { headLogPath, maxReflogBytes, type RefMove, readMovesSince } from "../../git/refs/reflog.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import type { Rewrite } from "./rewritten-commits.ts";

/** Commits that one reset can undo. */
const maxUndone = 100;

export interface HeadReflog {
  /** What the moves since the last look replaced; some name ranges that are still to be listed. */
  readonly replacements: readonly Replacement[];
  /** Moves the mark of the last look to where this one read; once what it told is written. */
  readonly accept: () => void;
}

/** `to` took the place of `from`, or of the commits above `above` up to `from` that a reset undid. */
export interface Replacement {
  readonly from: Oid;
  readonly above?: Oid;
  readonly to: Oid;
}

/**
 * What HEAD's reflog tells of commits that took the place of others, where no hook does: amends, and commits made after
 * a reset undid some. Only what came since the last look counts.
 */
export function readHeadReflog(repository: Repository, files: Files): HeadReflog {
  const path = headLogPath(repository);
  const markPath = join(repository.gitDir, "keyframe", "reflog-mark");
  const size = files.statIfExists(path)?.sizeBytes ?? 0;
  const seen = files.readIfExists(markPath)?.toString("utf8").trim();
  const accept = () => {
    if (seen === String(size)) return;
    files.makeFolder(join(markPath, ".."));
    files.replaceWithoutSync(markPath, Buffer.from(`${size}\n`));
  };
  // never looked before, or the reflog was cut: what happened until now is not ours to judge
  if (seen === undefined || size <= Number(seen)) return { replacements: [], accept };
  // what came before the mark is read for the resets that led to a commit after it
  const moves = readMovesSince(files, path, 0);
  const newFrom = Number(seen) - Math.max(0, size - maxReflogBytes);
  return { replacements: findReplacements(moves, newFrom), accept };
}

/**
 * Commits that were made in this worktree since a moment, not fetched or switched to, as far as the reflog goes back.
 * @param sinceMs what is pending since then cannot be in an older commit
 */
export function readCommitsMadeHere(repository: Repository, files: Files, sinceMs: number): Set<Oid> {
  const moves = readMovesSince(files, headLogPath(repository), 0);
  const sinceSeconds = Math.floor(sinceMs / 1000);
  return new Set(
    moves
      .filter(({ action, seconds }) => action.startsWith("commit") && seconds >= sinceSeconds)
      .map(({ to }) => to),
  );
}

/** Moves of HEAD to commits that were there already: by switch, pull, reset, or a merge that only went forward. */
export function readArrivals(repository: Repository, files: Files): RefMove[] {
  const arrives = /^(?:pull|merge|reset|checkout|clone|fetch|rebase.*\((?:start|finish)\))/;
  return readMovesSince(files, headLogPath(repository), 0).filter(
    ({ from, to, action }) => from !== to && arrives.test(action),
  );
}

/** A reset that took HEAD from one commit to another. */
export interface HeadReset {
  readonly from: Oid;
  readonly to: Oid;
}

/** The resets that led to where HEAD is, with nothing but commits in between, newest first. */
export function readResets(repository: Repository, files: Files): HeadReset[] {
  const moves = readMovesSince(files, headLogPath(repository), 0).reverse();
  const other = moves.findIndex(({ action }) => !/^(?:commit|reset)/.test(action));
  const recent = other === -1 ? moves : moves.slice(0, other);
  return recent.filter(({ action, from, to }) => action === "reset" && from !== to);
}

/** Commits that resets undid and that HEAD does not hold, oldest first. */
export async function listUndone(git: Git, resets: readonly HeadReset[], head: Oid): Promise<Oid[]> {
  const args = ["rev-list", "--first-parent", "--reverse", `--max-count=${maxUndone}`];
  const { stdout } = await git.run([...args, ...resets.map(({ from }) => from), `^${head}`], {
    okCodes: [0, 128],
  });
  return stdout.toString("latin1").split("\n").filter(isOid);
}

/** The old and new commits of each replacement; ranges that a reset undid are listed oldest first. */
export async function listRewrites(git: Git, replacements: readonly Replacement[]): Promise<Rewrite[]> {
  const rewrites: Rewrite[] = [];
  for (const { from, above, to } of replacements) {
    if (above === undefined) rewrites.push({ from, to });
    else {
      const args = [
        "rev-list",
        "--first-parent",
        "--reverse",
        `--max-count=${maxUndone}`,
        from,
        `^${above}`,
        `^${to}`,
      ];
      const result = await git.run(args, { okCodes: [0, 128] });
      for (const undone of result.stdout.toString("latin1").split("\n"))
        if (isOid(undone)) rewrites.push({ from: undone, to });
    }
  }
  return rewrites;
}

/** @param newFromByte where the moves begin that were not looked at before */
function findReplacements(moves: readonly RefMove[], newFromByte: number): Replacement[] {
  const replacements: Replacement[] = [];
  moves.forEach((move, index) => {
    if (move.offsetBytes < newFromByte || !move.action.startsWith("commit")) return;
    if (move.action === "commit (amend)") replacements.push({ from: move.from, to: move.to });
    // resets that led here, with nothing but commits in between: what they undid may stand in this commit again
    for (let before = index - 1; before >= 0; before -= 1) {
      const earlier = moves[before];
      if (earlier === undefined || !/^(?:commit|reset)/.test(earlier.action)) break;
      if (earlier.action === "reset" && earlier.from !== earlier.to) {
        replacements.push({ from: earlier.from, above: earlier.to, to: move.to });
      }
    }
  });
  return replacements;
}
