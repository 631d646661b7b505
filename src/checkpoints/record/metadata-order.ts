import type { JsonMap } from "../../base/json-document.ts";

/** Key order of a checkpoint's own `metadata.json`, as its readers and writers everywhere expect it. */
export const rootOrder = [
  "cli_version",
  "checkpoint_version",
  "checkpoint_id",
  "strategy",
  "branch",
  "migration_source_commit",
  "commit_sha",
  "checkpoints_count",
  "files_touched",
  "sessions",
  "token_usage",
  "token_usage_version",
  "combined_attribution",
  "has_review",
  "has_investigation",
  "imported",
];

/** Key order of a session's `metadata.json`. */
export const sessionOrder = [
  "cli_version",
  "checkpoint_id",
  "session_id",
  "strategy",
  "created_at",
  "branch",
  "commit_sha",
  "checkpoints_count",
  "save_step_count",
  "files_touched",
  "agent",
  "model",
  "turn_id",
  "is_task",
  "tool_use_id",
  "transcript_identifier_at_start",
  "checkpoint_transcript_start",
  "token_transcript_start",
  "transcript_lines_at_start",
  "compact_transcript_start",
  "raw_transcript_start",
  "token_usage",
  "token_usage_version",
  "skill_events_version",
  "skill_events",
  "session_metrics",
  "summary",
  "agent_summary",
  "machine",
  "initial_attribution",
  "prompt_attributions",
  "kind",
  "review_skills",
  "review_prompt",
  "investigate_run_id",
  "investigate_topic",
  "transcript_path",
];

/** The same members in the format's order; unknown keys follow the known key they stood behind. */
export function orderKeys(object: JsonMap, order: readonly string[]): JsonMap {
  const followers = new Map<string | undefined, string[]>();
  let known: string | undefined;
  for (const key of object.keys()) {
    if (order.includes(key)) known = key;
    else followers.set(known, [...(followers.get(known) ?? []), key]);
  }
  const keys = [
    ...(followers.get(undefined) ?? []),
    ...order.flatMap((key) => (object.has(key) ? [key, ...(followers.get(key) ?? [])] : [])),
  ];
  return new Map(keys.map((key) => [key, object.get(key) ?? null]));
}

/** `given` over what is stored: members that only a newer or other writer knows are kept. */
export function keepUnknown(stored: JsonMap | undefined, given: JsonMap, order: readonly string[]): JsonMap {
  if (stored === undefined) return given;
  const merged: JsonMap = new Map();
  for (const [key, value] of stored) if (!order.includes(key) || given.has(key)) merged.set(key, value);
  for (const [key, value] of given) merged.set(key, value);
  return merged;
}
