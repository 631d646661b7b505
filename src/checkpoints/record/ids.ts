import { KeyframeError } from "../../base/errors.ts";
import { type Random, randomHex } from "../../system/random.ts";

/** 12 lower-case hex digits, or a ULID of 26 Crockford base-32 characters. */
export type CheckpointId = string & { readonly brand: "CheckpointId" };

const hexId = /^[0-9a-f]{12}$/;
const ulid = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export function isCheckpointId(text: string): text is CheckpointId {
  return hexId.test(text) || ulid.test(text);
}

/** @throws KeyframeError `invalid-input` */
export function parseCheckpointId(text: string): CheckpointId {
  if (!isCheckpointId(text)) {
    throw new KeyframeError("invalid-input", `not a checkpoint id: ${JSON.stringify(text.slice(0, 80))}`, {
      hint: "a checkpoint id has 12 hex digits or is a ULID; see `keyframe list`",
    });
  }
  return text;
}

/** True for what could begin a checkpoint id that somebody types. */
export function looksLikeIdPrefix(text: string): boolean {
  return /^[0-9a-f]{3,12}$/.test(text) || /^[0-7][0-9A-HJKMNP-TV-Z]{2,25}$/.test(text);
}

export function newCheckpointId(random: Random): CheckpointId {
  return randomHex(random, 12) as CheckpointId;
}

/** Directory of a checkpoint in the trees of v1 and v2. */
export function shardedPath(id: CheckpointId): string {
  return `${id.slice(0, 2)}/${id.slice(2)}`;
}

export const checkpointRefPrefix = "refs/entire/checkpoints/";

/** Ref of a checkpoint that has its own; sharded by the end, because a ULID begins with the time. */
export function checkpointRef(id: CheckpointId): string {
  return `${checkpointRefPrefix}${id.slice(-2)}/${id}`;
}

/** The checkpoint that a ref holds; undefined for the other names under the same prefix (`v1/main`, `v2/full/...`). */
export function idOfCheckpointRef(ref: string): CheckpointId | undefined {
  if (!ref.startsWith(checkpointRefPrefix)) return undefined;
  const [shard, id, more] = ref.slice(checkpointRefPrefix.length).split("/");
  if (shard === undefined || id === undefined || more !== undefined || !isCheckpointId(id)) return undefined;
  return id.slice(-2).toLowerCase() === shard.toLowerCase() ? id : undefined;
}
