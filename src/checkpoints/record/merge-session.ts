import type { JsonMap, JsonValue } from "../../base/json-document.ts";
import { maxFilesTouched } from "./limits.ts";

/**
 * A session's metadata when more of its work came into a commit that has it already: files are joined, steps and tokens
 * added, and the piece of the transcript that it is about begins where the first did.
 */
export function mergeSessionMetadata(stored: JsonMap | undefined, fresh: JsonMap): JsonMap {
  if (stored === undefined) return fresh;
  const merged: JsonMap = new Map([...stored, ...fresh]);
  merged.set("created_at", stored.get("created_at") ?? fresh.get("created_at") ?? "");
  merged.set("checkpoints_count", count(stored, "checkpoints_count") + count(fresh, "checkpoints_count"));
  const files = new Set([...list(stored.get("files_touched")), ...list(fresh.get("files_touched"))]);
  merged.set("files_touched", [...files].slice(0, maxFilesTouched));
  const start = Math.min(
    count(stored, "checkpoint_transcript_start"),
    count(fresh, "checkpoint_transcript_start"),
  );
  if (start > 0) merged.set("checkpoint_transcript_start", start);
  else merged.delete("checkpoint_transcript_start");
  const usage = addUsage(stored.get("token_usage"), fresh.get("token_usage"));
  if (usage !== undefined) merged.set("token_usage", usage);
  return merged;
}

/** Member by member; what only one has is kept. */
function addUsage(a: JsonValue | undefined, b: JsonValue | undefined): JsonValue | undefined {
  if (!(a instanceof Map)) return b ?? a;
  if (!(b instanceof Map)) return a;
  const sum: JsonMap = new Map(a);
  for (const [key, value] of b) {
    const before = a.get(key);
    if (typeof value === "number" && typeof before === "number") sum.set(key, before + value);
    else if (value instanceof Map && before instanceof Map) sum.set(key, addUsage(before, value) ?? value);
    else sum.set(key, value);
  }
  return sum;
}

function count(metadata: JsonMap, key: string): number {
  const value = metadata.get(key);
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function list(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
