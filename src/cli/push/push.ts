import { KeyframeError } from "../../base/errors.ts";
import { resolveRemote } from "../../git/remote/remote.ts";
import { pushRecords } from "../../workflows/push-records.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { openSync } from "../command/sync-context.ts";

export interface PushFlags {
  readonly json?: boolean;
}

/** `keyframe push [remote]` */
export async function push(this: CliContext, flags: PushFlags, word?: string): Promise<void> {
  // a commit whose hook was cut off would go without its checkpoint
  await settleFirst(this);
  const git = openRepositoryGit(this);
  const remote = await resolveRemote(git, word);
  const { sync, finish } = openSync(this, git);
  try {
    const report = await pushRecords(sync, remote);
    finish();
    if (flags.json) this.terminal.json({ remote: remote.name, ...report });
    else {
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
