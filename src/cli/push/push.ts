import { KeyframeError } from "../../base/errors.ts";
import { resolveRemote } from "../../git/remote/remote.ts";
import { pushRecords } from "../../workflows/push-records.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { openSync } from "../command/sync-context.ts";
import { printSent, pushMachines } from "./push-machines.ts";

export interface PushFlags {
  readonly machine?: readonly string[];
  readonly json?: boolean;
}

/** `keyframe push [remote]` */
export async function push(this: CliContext, flags: PushFlags, word?: string): Promise<void> {
  // a commit whose hook was cut off would go without its checkpoint
  await settleFirst(this);
  const git = openRepositoryGit(this);
  const remote = await resolveRemote(git, word);
  const machines = await pushMachines(this, git, flags.machine ?? []);
  const { sync, finish } = openSync(this, git);
  try {
    const report = await pushRecords(sync, remote);
    finish();
    if (flags.json) this.terminal.json({ remote: remote.name, ...report, machines });
    else {
      printSent(this, machines);
      for (const ref of report.pushed) {
        this.terminal.out(`${ref}${report.joined.includes(ref) ? " (joined with the work of others)" : ""}`);
      }
      if (report.pushed.length + report.problems.length === 0) this.terminal.out("Nothing to push.");
    }
    if (report.problems.length > 0) {
      throw new KeyframeError("remote-failed", `not everything was pushed: ${report.problems.join("; ")}`, {
        hint: "what was pushed stays pushed; run `keyframe push` again for the rest",
      });
    }
  } finally {
    finish();
  }
}
