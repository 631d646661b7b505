import type { Repository } from "../../git/repository.ts";
import { withLockFile } from "../../system/locks/lock-file.ts";
import { journalFolder, listEpochs, lockPath, shellCallsFolder } from "../layout.ts";
import { lockTimeoutMs } from "../limits.ts";
import type { JournalDeps } from "../log/journal.ts";

/** Forgets everything that is pending in a worktree, open shell calls included. Notes of commits stay. */
export function resetJournal(deps: JournalDeps, repository: Repository): void {
  const { files } = deps;
  files.makeFolder(journalFolder(repository));
  const options = { timeoutMs: lockTimeoutMs, onTakeover: () => undefined };
  withLockFile(deps, lockPath(repository), options, () => {
    for (const epoch of listEpochs(repository, files)) files.removeTree(epoch.folder);
    files.removeTree(shellCallsFolder(repository));
  });
}
