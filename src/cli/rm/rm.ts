import { shellQuote } from "../../base/text/shell-words.ts";
import type { FoundRemoval } from "../../checkpoints/remove/find-removal.ts";
import { removeFromRefs } from "../../checkpoints/remove/rewrite-refs.ts";
import { forgetSessions } from "../../workflows/forget-sessions.ts";
import { removeRecords } from "../../workflows/remove-records.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { openSync } from "../command/sync-context.ts";
import { printable } from "../output/terminal.ts";
import { findRemovalTarget, printRemoval, removalRemote } from "./removal-target.ts";
import type { RmFlags } from "./rm-command.ts";

/** `keyframe rm <checkpoint|session|commit>` */
export async function rm(this: CliContext, flags: RmFlags, word: string): Promise<void> {
  await settleFirst(this);
  const git = openRepositoryGit(this);
  const found = await findRemovalTarget(this, word);
  const remote = await removalRemote(git, flags);
  if (!flags.force) return showPlan(this, found, { remote: remote?.name, json: flags.json === true });
  const { sync, finish } = openSync(this, git);
  try {
    const report = await removeRecords(sync, remote, {
      checkpoints: found.checkpoints,
      rewrite: (at, refs) => removeFromRefs(at, refs, found),
    });
    forgetSessions(this, git.repository, {
      sessionIds: found.others.length === 0 ? found.sessionIds : [],
      checkpoints: found.checkpoints,
    });
    finish();
    printRemoval(this, report, { remote, json: flags.json === true });
  } finally {
    finish();
  }
}

function showPlan(
  { terminal }: CliContext,
  { checkpoints, folders, sessionIds, others }: FoundRemoval,
  { remote, json }: { readonly remote: string | undefined; readonly json: boolean },
): void {
  if (json) {
    terminal.json({
      checkpoints: [...checkpoints],
      parts: [...folders].map(([id, indexes]) => ({ id, folders: [...indexes] })),
      sessions: sessionIds,
      others,
      remote: remote ?? null,
    });
    return;
  }
  for (const id of checkpoints) terminal.out(`checkpoint ${id}`);
  for (const [id, indexes] of folders)
    terminal.out(`checkpoint ${id}, sessions ${[...indexes].join(", ")} and the subagents' files`);
  if (others.length > 0) {
    terminal.note(
      `${others.length} other checkpoints hold the same conversation: \`keyframe rm ${shellQuote(printable(sessionIds[0] ?? ""))}\` removes it from all`,
    );
  }
  terminal.out(`\`--force\` removes this here${remote === undefined ? "" : ` and at ${remote}`}`);
}
