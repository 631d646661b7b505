import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import type { Files } from "../../system/files/files.ts";
import { type CheckpointId, isCheckpointId, looksLikeIdPrefix } from "../record/ids.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";
import { findCommitLinks, type LinkKind } from "./commit-links.ts";
import { type CheckpointPlaces, listCheckpointPlaces } from "./read-checkpoints.ts";

/** What the user meant, and how it led to a checkpoint. */
export interface ResolvedCheckpoint {
  readonly id: CheckpointId;
  /** Undefined: a commit names it, and nothing is stored here. */
  readonly places: CheckpointPlaces | undefined;
  readonly via: "id" | "prefix" | "commit";
  /** How the commit leads to it. */
  readonly link?: LinkKind;
}

export interface ResolveDeps {
  readonly git: Git;
  readonly stores: CheckpointStores;
  readonly files: Files;
}

/**
 * Finds the checkpoints that a word means: an id, the beginning of one, or a commit that leads to some.
 * @throws KeyframeError `not-found`, `invalid-input` where a beginning fits several
 */
export async function resolveCheckpoints(
  { git, stores, files }: ResolveDeps,
  word: string,
): Promise<readonly ResolvedCheckpoint[]> {
  const places = await listCheckpointPlaces(stores);
  const exact = isCheckpointId(word) ? places.get(word) : undefined;
  if (exact !== undefined && isCheckpointId(word)) return [{ id: word, places: exact, via: "id" }];
  if (looksLikeIdPrefix(word)) {
    const fitting = [...places.keys()].filter((id) => id.startsWith(word));
    const [only] = fitting;
    if (fitting.length > 1) {
      throw new KeyframeError(
        "invalid-input",
        `ambiguous checkpoint prefix ${word}: it matches ${fitting.length}: ${fitting.slice(0, 8).join(", ")}`,
        { hint: "type more of the id" },
      );
    }
    if (only !== undefined) return [{ id: only, places: places.get(only), via: "prefix" }];
  }
  const commit = await resolveRevision(git, `${word}^{commit}`);
  if (commit === undefined) {
    throw new KeyframeError("not-found", `checkpoint not found: ${word}`, {
      hint: "see `keyframe list`, or `keyframe fetch` to get the checkpoints of others",
    });
  }
  const links = await findCommitLinks({ git, files, places }, commit);
  if (links === undefined) {
    throw new KeyframeError(
      "not-found",
      `commit ${word} does not have an Entire-Checkpoint trailer, and nothing else that is known here links a conversation to it`,
      {
        hint: "`keyframe explain` without an argument shows the commits of this branch that have one",
      },
    );
  }
  return links.ids.map((id) => ({ id, places: places.get(id), via: "commit", link: links.kind }));
}
