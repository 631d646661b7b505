import { sha256Hex } from "../../base/digest.ts";
import type { Oid } from "../../git/ids.ts";
import type { CheckpointId } from "./ids.ts";

/**
 * The id of the checkpoint of a commit that no hook saw: its message cannot name one any more, so the commit's own id
 * gives it. Made twice, it is the same; and who has the commit can find the checkpoint.
 */
export function lateCheckpointId(commit: Oid): CheckpointId {
  return sha256Hex(`checkpoint of commit ${commit}`).slice(0, 12) as CheckpointId;
}
