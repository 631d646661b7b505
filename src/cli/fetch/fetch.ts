import { formatBytes } from "../../base/bytes.ts";
import { parseCheckpointId } from "../../checkpoints/record/ids.ts";
import { resolveRemote } from "../../git/remote/remote.ts";
import { fetchRecords } from "../../workflows/fetch-records.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { openSync } from "../command/sync-context.ts";

export interface FetchFlags {
  readonly checkpoint?: readonly string[];
  readonly json?: boolean;
}

/** `keyframe fetch [remote]` */
export async function fetch(this: CliContext, flags: FetchFlags, word?: string): Promise<void> {
  const git = openRepositoryGit(this);
  const remote = await resolveRemote(git, word);
  const whole = (flags.checkpoint ?? []).map(parseCheckpointId);
  const { sync, finish } = openSync(this, git);
  try {
    const { tips, checkpoints, files, notes } = await fetchRecords(sync, remote, whole);
    finish();
    const receivedBytes = tips.receivedBytes + files.receivedBytes;
    if (flags.json) {
      this.terminal.json({
        remote: remote.name,
        treesOnly: tips.treesOnly,
        receivedBytes,
        checkpoints,
        absent: files.absent,
        notes: { changed: notes.changed, problems: notes.problems },
      });
      return;
    }
    const many = files.absent.length - 3;
    for (const { what } of files.absent.slice(0, 3))
      this.terminal.note(`! ${remote.name} does not have ${what}`);
    if (many > 0) this.terminal.note(`! nor ${many} more files`);
    for (const problem of notes.problems) this.terminal.note(`! ${problem}`);
    this.terminal.out(
      `${checkpoints} checkpoints, ${notes.changed} notes changed (${formatBytes(receivedBytes)} of checkpoints from ${remote.name})`,
    );
  } finally {
    finish();
  }
}
