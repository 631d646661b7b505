import { unwatchHooks } from "../../git/hooks/hook-watch.ts";
import { noteConnected } from "../../state/connected-agents.ts";
import { installedRecordPath, switchOff } from "../../state/switch.ts";
import { applyFileChanges } from "../../system/files/file-changes.ts";
import type { CliContext } from "../command/context.ts";
import { disableGlobally } from "../enable/enable-globally.ts";
import { planUninstall } from "../enable/plan.ts";
import { describeChange, printChanges } from "../enable/print-changes.ts";
import { removeEmptyParents } from "../enable/remove-empty-parents.ts";
import { openSituation } from "../enable/situation.ts";
import { printable } from "../output/terminal.ts";
import { stayingOff } from "../peers/peer-words.ts";
import type { DisableFlags } from "./disable-command.ts";

/** `keyframe disable` */
export async function disable(this: CliContext, flags: DisableFlags): Promise<void> {
  if (flags.global === true) return disableGlobally.call(this, flags);
  const { git, situation } = await openSituation(this);
  const { repository } = git;
  const changes = flags.uninstall === true ? planUninstall(situation) : [];
  if (flags.dryRun !== true) {
    // off first: a crash half way leaves hooks that do nothing
    switchOff(repository, this.files);
    if (flags.uninstall === true) {
      applyFileChanges(changes, this.files);
      removeEmptyParents(changes, repository.workTree ?? repository.commonDir, this.files);
      noteConnected(repository, this.files, []);
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
  else for (const line of stayingOff(situation)) this.terminal.note(line);
  if (flags.dryRun !== true) this.terminal.out(`Keyframe is off in ${printable(top)}`);
}
