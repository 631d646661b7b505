import { basename, dirname } from "node:path";
import type { FileChange } from "../../base/file-change.ts";
import { chainedFolder } from "../../git/hooks/hook-block.ts";
import { unwatchHooks } from "../../git/hooks/hook-watch.ts";
import { switchOff } from "../../state/switch.ts";
import { applyFileChanges } from "../../system/files/file-changes.ts";
import type { Files } from "../../system/files/files.ts";
import type { CliContext } from "../command/context.ts";
import { describeChange, printChanges } from "../enable/enable.ts";
import { installedRecordPath } from "../enable/installed.ts";
import { planUninstall } from "../enable/plan.ts";
import { openSituation } from "../enable/situation.ts";
import { printable } from "../output/terminal.ts";
import type { DisableFlags } from "./disable-command.ts";

/** `keyframe disable` */
export async function disable(this: CliContext, flags: DisableFlags): Promise<void> {
  const { git, situation } = await openSituation(this);
  const { repository } = git;
  const changes = flags.uninstall === true ? planUninstall(situation) : [];
  if (flags.dryRun !== true) {
    // off first: a crash half way leaves hooks that do nothing
    switchOff(repository, this.files);
    if (flags.uninstall === true) {
      applyFileChanges(changes, this.files);
      removeEmptyFolders(changes, this.files);
      this.files.remove(installedRecordPath(repository));
      unwatchHooks(repository, this.files);
    }
  }
  const top = repository.workTree ?? repository.gitDir;
  if (flags.json) {
    this.terminal.json({
      applied: flags.dryRun !== true,
      repository: top,
      changes: changes.map(describeChange),
    });
    return;
  }
  if (flags.uninstall === true) printChanges(this, { changes, top, dryRun: flags.dryRun === true });
  if (flags.dryRun !== true) this.terminal.out(`Keyframe is off in ${printable(top)}`);
}

/** Folders that held nothing but what was taken out. */
function removeEmptyFolders(changes: readonly FileChange[], files: Files): void {
  for (const { path, after } of changes) {
    const folder = dirname(path);
    if (after.kind === "absent" && [".claude", chainedFolder].includes(basename(folder))) {
      files.removeEmptyFolder(folder);
    }
  }
}
