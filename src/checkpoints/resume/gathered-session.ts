import type { SessionFiles } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { SessionMetadata } from "../record/metadata.ts";
import type { StoredSubagent } from "./subagents.ts";

/** A session of which everything that was recorded is on this machine. */
export interface GatheredSession {
  readonly checkpoint: CheckpointId;
  readonly files: SessionFiles;
  readonly metadata: SessionMetadata;
  /** Of those that can be had: a conversation can be continued without. */
  readonly subagents: readonly StoredSubagent[];
}

export function dateOf({ metadata }: GatheredSession): number {
  const at = Date.parse(metadata.createdAt ?? "");
  return Number.isNaN(at) ? 0 : at;
}
