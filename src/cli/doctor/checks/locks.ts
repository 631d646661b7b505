import { listWorktrees } from "../../../git/worktree/worktrees.ts";
import { lockPath } from "../../../journal/layout.ts";
import { withJournalLock } from "../../../journal/log/journal.ts";
import { type LockFile, listLockFiles } from "../../../state/lock-files.ts";
import { describeHolder } from "../../../system/locks/lock-file.ts";
import { removeLockOfDead } from "../../../system/locks/take-over.ts";
import type { DoctorCheck, DoctorContext, Finding } from "./check.ts";

/** Locks are held for milliseconds; a transfer or a large settling may take seconds. */
const longHeldMs = 60_000;

/** Locks of processes that were killed, and locks that are held for long: each is named with its holder. */
export const locksCheck: DoctorCheck = {
  name: "locks",
  label: "lock",
  find: ({ cli, repository }) =>
    listLockFiles(cli, repository)
      .filter(({ isRunning, heldMs }) => !isRunning || heldMs > longHeldMs)
      .map((lock) => (lock.isRunning ? longHeld(lock, describeHolder(cli, lock.holder)) : left(lock))),
  repair(context) {
    for (const { path, isRunning } of listLockFiles(context.cli, context.repository))
      if (!isRunning) free(context, path);
  },
};

function left({ path, holder }: LockFile): Finding {
  return {
    kind: "left lock",
    subject: path,
    what: `its holder, process ${holder.pid}, has ended`,
    repair: "`keyframe doctor --repair` frees it, and so does the next command that needs it",
    repairable: true,
    damage: false,
  };
}

function longHeld({ path, holder, heldMs }: LockFile, who: string): Finding {
  return {
    kind: "held lock",
    subject: path,
    what: `${who} has held it for ${Math.round(heldMs / 1000)} s`,
    repair: `wait for it; if process ${holder.pid} hangs, end it: its lock is then taken over`,
    repairable: false,
    damage: false,
  };
}

/** A killed recording left something half done: taking the journal's lock finishes it. Behind other locks nothing is. */
function free({ cli, repository }: DoctorContext, path: string): void {
  const place = listWorktrees(repository, cli.files).find((worktree) => lockPath(worktree) === path);
  if (place === undefined) removeLockOfDead(cli, path);
  else withJournalLock(cli, place, () => undefined);
}
