import { captureFolder } from "../checkpoints/capture/record.ts";
import { captureRoot } from "../checkpoints/clean/session-leftovers.ts";
import type { CheckpointId } from "../checkpoints/record/ids.ts";
import { listSessionStates, updateSessionState } from "../checkpoints/sessions/directory.ts";
import { listOfState, textOfState } from "../checkpoints/sessions/state.ts";
import type { Repository } from "../git/repository.ts";
import type { LockDeps } from "../system/locks/lock-file.ts";
import { toolNameOf } from "../transcripts/agent-names.ts";

/**
 * What running sessions still know of removed records: their states name the checkpoints no more, so that no turn's end
 * writes them again, and the copies of these sessions' transcripts go; they are taken over anew, by the rules of today.
 */
export function forgetSessions(
  deps: LockDeps,
  repository: Repository,
  {
    sessionIds,
    checkpoints,
  }: { readonly sessionIds: readonly string[]; readonly checkpoints: ReadonlySet<CheckpointId> },
): void {
  for (const { id, state } of listSessionStates(deps, repository)) {
    if (state === undefined) continue;
    if (sessionIds.includes(id)) {
      const tool = toolNameOf(textOfState(state, "agent_type") ?? "");
      const folder = captureFolder(repository, { tool, id });
      if (folder.startsWith(captureRoot(repository))) deps.files.removeTree(folder);
    }
    updateSessionState(deps, { repository, id }, (known) => {
      const named = known === undefined ? [] : listOfState(known, "turn_checkpoint_ids");
      const isLast = checkpoints.has(
        (textOfState(known ?? new Map(), "last_checkpoint_id") ?? "") as CheckpointId,
      );
      const left = named.filter((one) => !checkpoints.has(one as CheckpointId));
      if (known === undefined || (left.length === named.length && !isLast)) return undefined;
      if (isLast) known.set("last_checkpoint_id", "");
      return known.set("turn_checkpoint_ids", left);
    });
  }
}
