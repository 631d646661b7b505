import type { Git } from "../../../git/git.ts";
import { committerIdentity } from "../../../git/identity.ts";
import type { Oid } from "../../../git/ids.ts";
import { resolveRevision, updateRefs } from "../../../git/refs/refs.ts";
import { shardedPath } from "../../record/ids.ts";
import { retryUntilFirst } from "../../stores/commit-targets.ts";
import { v1Branch } from "../../stores/layout-refs.ts";
import { listShardedTree } from "../../stores/stored-state.ts";
import { writeJoinCommit } from "./join-trees.ts";

/**
 * Joins checkpoints that another repository made and that are here as a commit of the first store's branch: those that
 * ours lacks are added, what is here stays. Returns how many were added.
 */
export async function joinCheckpointBranch(git: Git, theirs: Oid, nowSeconds: number): Promise<number> {
  return retryUntilFirst(v1Branch, async () => {
    const ours = await resolveRevision(git, v1Branch);
    const [here, there] = [
      ours === undefined ? undefined : await listShardedTree(git, ours),
      await listShardedTree(git, theirs),
    ];
    const added = [...there].filter(([id]) => here?.has(id) !== true);
    if (added.length === 0) return 0;
    const next =
      ours === undefined
        ? theirs
        : await writeJoinCommit(git, {
            identity: await committerIdentity(git),
            parents: [ours, theirs],
            folders: new Map(added.map(([id, files]) => [shardedPath(id), files])),
            message: `Bring ${added.length} ${added.length === 1 ? "checkpoint" : "checkpoints"} from a machine`,
            nowSeconds,
          });
    const moved = await updateRefs(
      git,
      [{ ref: v1Branch, expected: ours, next }],
      "keyframe: join a machine's checkpoints",
    );
    return moved ? added.length : undefined;
  });
}
